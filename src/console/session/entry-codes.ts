import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.js';
import type { Entrant } from './sessions.js';

const LIFE_MS = 60_000;
/** Only the token file makes codes, and each is used at once. */
const MOST = 16;

/** Codes that open one session each, soon after they were made. In memory: a code is used at the process that made it. */
export class EntryCodes {
  private readonly codes = new Map<string, { readonly entrant: Entrant; readonly until: number }>();

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  make(entrant: Entrant): string {
    // Short, so that its address fits a terminal.
    const code = randomBytes(16).toString('base64url');
    this.codes.set(code, { entrant, until: this.clock.now() + LIFE_MS });
    for (const old of [...this.codes.keys()].slice(0, -MOST)) this.codes.delete(old);
    return code;
  }

  /** Undefined if it was used, is too old, or never was. */
  take(code: string): Entrant | undefined {
    const found = this.codes.get(code);
    this.codes.delete(code);
    return found !== undefined && found.until > this.clock.now() ? found.entrant : undefined;
  }
}
