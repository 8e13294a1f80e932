import { z } from 'zod';
import { compareText } from '../../model/compare-text.js';

/** A person who may sign in. `subject` is the `sub` of the person's tokens. */
export interface EmbeddedPerson {
  readonly subject: string;
  /** True by default. */
  readonly enabled?: boolean;
  readonly groups: readonly string[];
}

export type StoredPerson = Required<EmbeddedPerson>;

/** The people in memory. Each change is reported to `onChange` once it is in force. */
export interface PersonStore {
  /** Grows with each change. */
  readonly changes: number;
  get(subject: string): StoredPerson | undefined;
  /** Sorted by subject. */
  list(): readonly StoredPerson[];
  /** Creates or replaces. */
  put(person: EmbeddedPerson): StoredPerson;
  delete(subject: string): boolean;
}

const text = z.string().min(1).max(255);
const body = z.strictObject({
  subject: text.optional(),
  enabled: z.boolean().default(true),
  groups: z.array(text).max(5000),
});

/** Parses the body of PUT /people/<subject>. Throws ZodError, also for an unknown key. */
export function parsePersonBody(json: unknown, subject: string): EmbeddedPerson {
  const { subject: named, enabled, groups } = body.parse(json);
  if (named !== undefined && named !== subject)
    throw new TypeError('subject differs from the person in the path');
  return { subject: text.parse(subject), enabled, groups };
}

export function createPersonStore(onChange: (subject: string) => void): PersonStore {
  const stored = new Map<string, StoredPerson>();
  let changes = 0;
  const changed = (subject: string) => {
    changes += 1;
    onChange(subject);
  };
  return {
    get changes() {
      return changes;
    },
    get: (subject) => stored.get(subject),
    list: () => [...stored.values()].sort((a, b) => compareText(a.subject, b.subject)),
    put(person) {
      const before = stored.get(person.subject);
      const after = toStored(person);
      if (JSON.stringify(before) === JSON.stringify(after)) return after;
      stored.set(person.subject, after);
      changed(person.subject);
      return after;
    },
    delete(subject) {
      const existed = stored.delete(subject);
      if (existed) changed(subject);
      return existed;
    },
  };
}

function toStored({ subject, enabled = true, groups }: EmbeddedPerson): StoredPerson {
  return { subject, enabled, groups: [...new Set(groups)].sort() };
}
