import type { WaitingRow } from '../../answers.js';
import { ApiFault, post } from '../api.js';
import type { Done } from './act-form.js';

/** What each kind is called. */
export const WORDS: Readonly<Record<WaitingRow['kind'], string>> = {
  hold: 'held',
  'break-glass': 'break-glass',
  quarantine: 'quarantine',
  deny: 'denied',
  freeze: 'frozen',
};

export function titleOf({ kind, from, to, client, action, subject, isOpen }: WaitingRow): string {
  const pair = from !== null && to !== null ? `${from} to ${to}` : subject;
  switch (kind) {
    case 'hold':
      return action === 'revoke' ? `Close ${pair}` : action === 'grant' ? `Open ${pair}` : `Change ${pair}`;
    case 'break-glass':
      return isOpen ? `Open ${pair} for some time` : `${pair} is open by break-glass`;
    case 'quarantine':
      return `Client ${client?.id ?? subject} is in quarantine`;
    case 'deny':
      return `${pair} is denied`;
    case 'freeze':
      return 'Changes are frozen';
  }
}

interface Outcome {
  readonly id: string;
  readonly status: number;
  readonly needsSecond?: true;
  readonly waits?: string;
  readonly error?: string;
  readonly detail?: string;
  readonly code?: string;
}

/** Rules on what was shown. Throws an ApiFault about one thing alone. */
export async function rule(
  verdict: 'approve' | 'reject',
  rows: readonly WaitingRow[],
  comment: string,
  since: string,
  override = false,
): Promise<readonly Done[]> {
  const holds = rows.map(({ id, fingerprint }) => ({ id, fingerprint, ...(override ? { override } : {}) }));
  const { outcomes } = (await post(`/api/holds/${verdict}`, { comment, holds })) as {
    outcomes: readonly Outcome[];
  };
  const [only] = outcomes;
  // With one thing the form stays, with what the person wrote.
  if (outcomes.length === 1 && only?.error !== undefined)
    throw new ApiFault(
      only.status,
      only.code ?? '',
      [only.error, only.detail ?? ''].filter((text) => text !== '').join(': '),
    );
  return outcomes.map(({ needsSecond, waits, error }, at) => {
    const row = rows[at];
    const title = row === undefined || rows.length === 1 ? '' : `${titleOf(row)}: `;
    if (error !== undefined) return { what: `${title}${error}` };
    if (needsSecond === true)
      return { what: `${title}your approval is kept, and another person must approve too` };
    const word = verdict === 'approve' ? 'approved by you' : 'rejected by you';
    return {
      what: `${title}${word}${waits === undefined ? '' : `; ${waits}`}`,
      subject: row?.subject,
      since,
    };
  });
}
