import { messageOf } from '../errors.js';
import type { Logger } from '../observe.js';
import { openOnce } from '../open-once.js';

interface Closable {
  close(): Promise<void>;
}

/** What the daemon has opened. It is closed in reverse order, as what was opened later may use what was opened before. */
export class Resources {
  readonly #opened: Closable[] = [];

  add<T extends Closable>(opened: T): T {
    this.#opened.push(opened);
    return opened;
  }

  /** Opens at the first call, and gives every call the same. */
  openOnce<T extends Closable>(open: () => Promise<T>): () => Promise<T> {
    return openOnce(async () => this.add(await open()));
  }

  /** Logs what cannot be closed, and closes the others. Never rejects. */
  async close(logger: Logger): Promise<void> {
    for (let last = this.#opened.pop(); last !== undefined; last = this.#opened.pop())
      await last
        .close()
        .catch((error: unknown) =>
          logger.warn({ error: messageOf(error) }, 'a connection did not close cleanly'),
        );
  }
}
