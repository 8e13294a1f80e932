import type { Config } from '../../../config/config.js';
import type { LogNote } from '../../consul/consul.js';
import { openKept } from '../../decisions/checkpoint.js';
import { trustedKeys } from '../../decisions/signing-key.js';
import { error, type Finding, ok, tryRead } from './finding.js';

const ID = 'decisions.key';

/** Whether the keys of this machine signed the newest note of the log in Consul. Silent without a note or without a key. */
export async function keyFindings(
  { state, decisions }: Pick<Config, 'state' | 'decisions'>,
  logNote: LogNote,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const keys = trustedKeys(state.directory, decisions.trustedKeys);
  // A token that may not read the note has a finding of its own.
  const read = await tryRead(() => logNote.read(signal), signal);
  const note = 'value' in read ? read.value : undefined;
  if (note === undefined || keys.length === 0) return [];
  if (openKept(keys, note) !== undefined) return [ok(ID, 'a trusted key signed the newest note of the log')];
  return [
    error(
      ID,
      'a key that this machine does not trust signed the newest note of the decision log in Consul: what this key signs is left out here',
      'give each replica the same decisions.signingKeyFile; after a change of the key, add the other trail-key.pub to decisions.trustedKeys',
    ),
  ];
}
