import type { Events } from '../../src/store/store.ts';
import type { Random } from '../random.ts';

/** Events of a store whose word that a queue has changed comes at once, late, twice, or not at all. */
export function unreliable(events: Events, random: Random): Events {
  const late = (queue: string) => setTimeout(() => events.changed(queue), random.below(10));
  return {
    due: (milliseconds) => events.due(milliseconds),
    changed: (queue) => {
      const how = random.of(['at once', 'late', 'twice', 'never']);
      if (how === 'at once' || how === 'twice') events.changed(queue);
      if (how === 'late' || how === 'twice') late(queue);
    },
  };
}

/** Events of a store that never tells that a queue has changed. */
export function mute(events: Events): Events {
  return { due: (milliseconds) => events.due(milliseconds), changed: () => {} };
}
