import { setFlagsFromString } from 'node:v8';

// V8 of Node 20 optimizes functions early, one after the other, which took a third of the processor time of a first
// comparison. Later versions wait longer and have no such flag.
if (process.versions.v8.startsWith('11.')) setFlagsFromString('--interrupt-budget=500000');
