import { MemoryStore } from '../../src/store/memory.ts';
import { storeContract } from './contract.ts';

storeContract('MemoryStore', (onChange) => new MemoryStore(onChange));
