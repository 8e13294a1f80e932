import type { Journal, RecordedHold } from '../../src/queue/journal.js';
import { NOW } from '../plan/scene.js';

interface Deps {
  readonly journal: Pick<Journal, 'read' | 'settle'>;
}

/** Stores that a person ruled on a hold of the owner `pay`. */
export function storeVerdict(
  { journal }: Deps,
  { subject, fingerprint, decisionId }: RecordedHold,
  verdict: 'approved' | 'rejected',
  by: string,
): Promise<void> {
  const ruling = {
    subject,
    verdict,
    by: { id: by },
    at: new Date(NOW).toISOString(),
    fingerprint,
    decisionId,
  };
  const lastApplied = new Map([[`verdict/${subject}`, JSON.stringify(ruling)]]);
  return journal.settle('ruling/pay', [], { lastApplied });
}

export async function verdictOn({ journal }: Deps, subject: string): Promise<string | undefined> {
  return (await journal.read('ruling/pay')).lastApplied.get(`verdict/${subject}`);
}
