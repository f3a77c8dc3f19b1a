import { MemoryStore } from '../../src/store/memory.ts';
import { storeContract } from './contract.ts';

storeContract('MemoryStore', async (events, clock) => new MemoryStore(events, clock));
