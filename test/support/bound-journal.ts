import type { Journal } from '../../src/queue/journal.js';

/** The methods of a journal, bound to it, so that a test can replace some of them. */
export function boundJournal(journal: Journal): Journal {
  return {
    read: (key) => journal.read(key),
    readAll: () => journal.readAll(),
    record: (key, drafts, replaced) => journal.record(key, drafts, replaced),
    settle: (key, decisions, update) => journal.settle(key, decisions, update),
    outbox: (limit) => journal.outbox(limit),
    published: (ids) => journal.published(ids),
    overview: (page) => journal.overview(page),
  };
}
