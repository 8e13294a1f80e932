import { setFlagsFromString } from 'node:v8';

// libsql asks Node's report which C library this is. With the network in it, the report would look up names.
if (process.report !== undefined) Object.assign(process.report, { excludeNetwork: true });

// A first comparison calls a thousand functions some thousand times each and is over in a second. V8 optimizes them all
// meanwhile, which takes more processor time than it gains. V8 writes a line to stderr for a flag that it does not have, so
// each goes only to versions with which it was tried.
const [major] = process.versions.v8.split('.').map(Number);
// Node 20: its only optimizing compiler waits longer.
if (major === 11) setFlagsFromString('--interrupt-budget=500000');
// From Node 24 on a function that is called often stays with a quick compiler. Only one that is called all the time reaches
// the slow one, and the quick one copies no function into another.
if (major === 13 || major === 14) {
  setFlagsFromString('--invocation-count-for-turbofan=30000');
  setFlagsFromString('--no-maglev-inlining');
}
