import type { Events } from '../../src/store/store.ts';
import type { Random } from '../random.ts';

/** Events of a store that come at once, late, twice, or not at all. */
export function unreliable(events: Events, random: Random): Events {
  const perhaps = (tell: () => void) => {
    const how = random.of(['at once', 'late', 'twice', 'never']);
    if (how === 'at once' || how === 'twice') tell();
    if (how === 'late' || how === 'twice') setTimeout(tell, random.below(10));
  };
  return {
    changed: (queue) => perhaps(() => events.changed(queue)),
    due: (milliseconds) => perhaps(() => events.due(milliseconds)),
  };
}

/** Events of a store that never tells anything. */
export function mute(): Events {
  return { changed: () => {}, due: () => {} };
}
