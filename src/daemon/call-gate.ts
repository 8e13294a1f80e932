import { setTimeout } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';

/*
 * A thread that is terminated inside a call of libsql ends the whole process: its Rust code aborts when it cannot make a
 * value. So the thread says when it is inside, and who ends it waits until it is not, and it does not go in again.
 */

/** Whether the thread is to end, and in how many calls it is. */
export type CallGate = Int32Array<SharedArrayBuffer>;
const [ENDS, INSIDE] = [0, 1];
const CHECK_MS = 2;

export function createCallGate(): CallGate {
  return new Int32Array(new SharedArrayBuffer(8));
}

/** In the thread: makes the calls. Throws instead if the thread is to end. */
export async function inCalls<T>(gate: CallGate, calls: () => Promise<T>): Promise<T> {
  Atomics.add(gate, INSIDE, 1);
  try {
    check(gate);
    return await calls();
  } finally {
    Atomics.sub(gate, INSIDE, 1);
  }
}

export function inCall<T>(gate: CallGate, call: () => T): T {
  Atomics.add(gate, INSIDE, 1);
  try {
    check(gate);
    return call();
  } finally {
    Atomics.sub(gate, INSIDE, 1);
  }
}

function check(gate: CallGate): void {
  if (Atomics.load(gate, ENDS) === 1) throw new Error('the question has ended');
}

/** Terminates the thread, whatever else it does. */
export async function terminateOutside(thread: Worker, gate: CallGate): Promise<void> {
  let isOver = false;
  thread.once('exit', () => {
    isOver = true;
  });
  Atomics.store(gate, ENDS, 1);
  while (!isOver && Atomics.load(gate, INSIDE) > 0) await setTimeout(CHECK_MS);
  await thread.terminate();
}
