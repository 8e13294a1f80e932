import { messageOf } from '../../errors.js';

/** `error`: something does not work or is not safe. `warning`: something works only in part. `notice`: good to know. */
export const SEVERITIES = ['error', 'warning', 'notice', 'ok'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** The most names in one finding. */
export const NAMES = 10;

export interface Finding {
  /** Stable: `consul.version`. */
  readonly id: string;
  readonly severity: Severity;
  readonly message: string;
  /** What to do; empty if there is nothing to do. */
  readonly remedy: string;
}

export function ok(id: string, message: string): Finding {
  return { id, severity: 'ok', message, remedy: '' };
}

export function notice(id: string, message: string, remedy = ''): Finding {
  return { id, severity: 'notice', message, remedy };
}

export function warning(id: string, message: string, remedy: string): Finding {
  return { id, severity: 'warning', message, remedy };
}

export function error(id: string, message: string, remedy: string): Finding {
  return { id, severity: 'error', message, remedy };
}

/** What was read, or why it could not be read. Throws if the signal is aborted. */
export async function tryRead<T>(
  read: () => Promise<T>,
  signal: AbortSignal,
): Promise<{ readonly value: T; readonly why?: undefined } | { readonly why: string }> {
  try {
    return { value: await read() };
  } catch (cause) {
    signal.throwIfAborted();
    return { why: messageOf(cause) };
  }
}

/** The first names, or sentences with another separator, and how many more there are. */
export function namesText(names: readonly string[], separator = ', '): string {
  const more = names.length > NAMES ? ` and ${names.length - NAMES} more` : '';
  return `${names.slice(0, NAMES).join(separator)}${more}`;
}
