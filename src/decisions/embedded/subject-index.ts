import { SEEN_REASONS } from '../../model/decision.js';

/** Where a decision names what it is about. */
export const NAMES = [
  ['client', '$.data.client.clientId'],
  ['person', '$.data.person.subject'],
  ['source', '$.data.resource.source'],
  ['destination', '$.data.resource.destination'],
  ['principal', '$.data.principal.id'],
] as const;

/** Decisions that say nothing about the access of anybody, and that may be many. */
const ABOUT_NOTHING = ['checkpoint/', 'event/', 'sweep/'] as const;

export const isAbout = (subject: string) =>
  ABOUT_NOTHING.map((prefix) => `${subject} NOT LIKE '${prefix}%'`).join(' AND ');

const OUTCOME = "json_extract(event, '$.data.outcome')";
const SEEN = SEEN_REASONS.map((reason) => `'${reason}'`).join(', ');
/** As `isMade`. */
const CHANGED = `(${OUTCOME} = 'applied' OR ${OUTCOME} = 'observed' AND json_extract(event, '$.data.reason') IN (${SEEN}))`;

/**
 * Not `INSERT OR IGNORE` in the trigger: there the conflict clause of the outer statement would count.
 * Answers "which decisions are about this, up to then" with a few seeks. `about` has one row for each name and subject, so it
 * grows with the fleet and not with the log. `carried` has the decision that last changed each subject before the log begins.
 * `falls` has each decision that is earlier than the one before it: the clock was set back. Between falls times rise.
 */
export const SUBJECTS = `
  CREATE INDEX IF NOT EXISTS subjects ON decisions (subject);
  CREATE TABLE IF NOT EXISTS about (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (kind, name, subject)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS carried (
    subject TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    event TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER IF NOT EXISTS note_about AFTER INSERT ON decisions WHEN ${isAbout('NEW.subject')} BEGIN
    INSERT INTO about SELECT kind, name, NEW.subject FROM (
      SELECT CASE key ${NAMES.map(([kind], index) => `WHEN ${index} THEN '${kind}'`).join(' ')} END AS kind, value AS name
      FROM json_each(json_extract(NEW.event, ${NAMES.map(([, path]) => `'${path}'`).join(', ')}))
    ) AS named WHERE name IS NOT NULL AND NOT EXISTS (
      SELECT 1 FROM about WHERE kind = named.kind AND name = named.name AND subject = NEW.subject
    );
  END;
  CREATE TABLE IF NOT EXISTS falls (seq INTEGER PRIMARY KEY, time TEXT NOT NULL) STRICT;
  CREATE TRIGGER IF NOT EXISTS note_fall AFTER INSERT ON decisions
    WHEN NEW.time < (SELECT time FROM decisions WHERE seq < NEW.seq ORDER BY seq DESC LIMIT 1) BEGIN
    INSERT INTO falls VALUES (NEW.seq, NEW.time);
  END;
`;

/** Keeps what the decisions up to a position say of each subject. Run it in the transaction that deletes them. */
export const CARRY = `
  INSERT OR REPLACE INTO carried (subject, seq, event)
    SELECT subject, max(seq), event FROM decisions
    WHERE seq <= ? AND ${isAbout('subject')} AND (${CHANGED} OR ${OUTCOME} = 'unknown')
    GROUP BY subject`;

/** Drops what ended before the log begins, and the names of what is not in the trail any more. */
export const FORGET = `
  BEGIN IMMEDIATE;
  DELETE FROM carried WHERE json_extract(event, '$.data.after') IS NULL AND ${CHANGED};
  DELETE FROM about WHERE NOT EXISTS (SELECT 1 FROM decisions WHERE subject = about.subject)
    AND NOT EXISTS (SELECT 1 FROM carried WHERE subject = about.subject);
  DELETE FROM falls WHERE seq < (SELECT min(seq) FROM decisions);
  COMMIT;
`;
