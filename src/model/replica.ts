/** One process of `scopemesh run`. */
export interface Replica {
  /** Names the process among the replicas, as in `Leader`. */
  readonly replica: string;
  readonly host: string;
  /** `http://HOST:PORT` of its API. */
  readonly address: string | null;
  readonly version: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** The parts that it runs (`--only`). */
  readonly parts: readonly string[];
}
