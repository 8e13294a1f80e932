import type { FastifyRequest } from 'fastify';

/** Logins that one address, and all addresses together, may finish at a moment. */
const MOST_OF_ONE = 4;
const MOST = 64;
/** A login is over after ten minutes in any case, so an older state never comes back. */
const MOST_USED = 10_000;

/** Which logins may ask the identity provider: each once, and no address keeps the others waiting. In memory, for each replica. */
export class Callbacks {
  readonly #used = new Set<string>();
  readonly #running: string[] = [];

  /** `busy`: another try may do. Unless it is refused, `end` must follow. */
  begin(state: string, from: string): 'used' | 'busy' | undefined {
    if (this.#used.has(state)) return 'used';
    const own = this.#running.filter((each) => each === from).length;
    if (own >= MOST_OF_ONE || this.#running.length >= MOST) return 'busy';
    this.#used.add(state);
    for (const old of this.#used) {
      if (this.#used.size <= MOST_USED) break;
      this.#used.delete(old);
    }
    this.#running.push(from);
    return undefined;
  }

  end(from: string): void {
    this.#running.splice(this.#running.indexOf(from), 1);
  }
}

/** Where a request comes from. The last forwarder is the proxy of the console: it alone wrote the end of the header. */
export function addressOf({ ip, headers }: Pick<FastifyRequest, 'ip' | 'headers'>): string {
  const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',');
  return `${ip} ${forwarded.slice(forwarded.lastIndexOf(',') + 1).trim()}`;
}
