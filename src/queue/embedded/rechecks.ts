import type { Recheck, Rechecks } from '../rechecks.js';
import { parseRecheck } from '../stored.js';
import type { StateFile } from './state-file.js';

export class EmbeddedRechecks implements Rechecks {
  readonly #file: StateFile;

  constructor(file: StateFile) {
    this.#file = file;
  }

  async put(provider: string, rechecks: readonly Recheck[]): Promise<void> {
    if (rechecks.length === 0) return;
    await this.#file.write(() => {
      for (const recheck of rechecks) this.insert(provider, recheck);
    });
  }

  async due(provider: string, now: number, most: number): Promise<readonly Recheck[]> {
    return this.#file.read(() =>
      this.#file
        .sql('SELECT body FROM rechecks WHERE provider = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?')
        .all(provider, now, most)
        .map((row) => parseRecheck(row.text('body'))),
    );
  }

  async move(
    provider: string,
    moves: readonly { readonly from: Recheck; readonly to: Recheck | undefined }[],
  ): Promise<void> {
    if (moves.length === 0) return;
    await this.#file.write(() => {
      const remove = this.#file.sql('DELETE FROM rechecks WHERE provider = ? AND id = ? AND body = ?');
      for (const { from, to } of moves) {
        const isThere = remove.run(provider, from.id, JSON.stringify(from)) > 0;
        if (isThere && to !== undefined) this.insert(provider, to);
      }
    });
  }

  async count(provider: string): Promise<number> {
    const query = 'SELECT count(*) AS n FROM rechecks WHERE provider = ?';
    return this.#file.read(() => this.#file.sql(query).first(provider)?.integer('n') ?? 0);
  }

  /** Call it inside a write. */
  insert(provider: string, recheck: Recheck): void {
    this.#file
      .sql('INSERT OR REPLACE INTO rechecks (provider, id, due_at, body) VALUES (?, ?, ?, ?)')
      .run(provider, recheck.id, Math.ceil(recheck.dueAt), JSON.stringify(recheck));
  }
}
