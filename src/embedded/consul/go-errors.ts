import { ConsulFailure } from './exchange.js';

/** Several errors in one, as Consul's multi-error prints them. */
export function joinErrors(errors: readonly string[]): string {
  const head = errors.length === 1 ? '1 error occurred:' : `${errors.length} errors occurred:`;
  return `${head}\n\t${errors.map((error) => `* ${error}`).join('\n\t')}\n\n`;
}

/** Runs a write whose failure is told with a prefix, as that of a replicated log. */
export function applied<T>(prefix: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (error instanceof ConsulFailure) throw new ConsulFailure(error.status, `${prefix}: ${error.message}`);
    throw error;
  }
}

/** A string as Go's `%q` prints it. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}
