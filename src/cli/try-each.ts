import { messageOf } from '../errors.js';
import type { Cli } from './cli.js';

/** Does one thing after the other, also after one that fails, which stderr and the exit status tell. */
export async function tryEach<T>(ids: readonly string[], work: (id: string) => Promise<T>, cli: Cli) {
  const done: T[] = [];
  const errors: { readonly id: string; readonly message: string }[] = [];
  for (const id of ids) {
    try {
      done.push(await work(id));
    } catch (error) {
      cli.signal.throwIfAborted();
      errors.push({ id, message: messageOf(error) });
    }
  }
  for (const { id, message } of errors) cli.screen.warn(`scopemesh: ${id}: ${message}`);
  return { done, errors };
}
