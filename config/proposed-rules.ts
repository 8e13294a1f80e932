import { configError } from '../src/errors.js';
import { canonicalJson } from '../src/model/canonical-json.js';
import { isRecord } from '../src/model/is-record.js';
import type { Rule } from '../src/model/rule.js';
import type { Config } from './config.js';
import { ConfigError, formatPath } from './config-error.js';
import { readDocument } from './document.js';
import { loadMapping } from './load.js';
import { toMapping } from './mapping-revision.js';

const NAME = 'the rule';

/**
 * The rules of a text as it is under `scopes:` of a configuration with these providers. Nothing in it is expanded: the text
 * may be anybody's. Throws ConfigError.
 */
export async function readProposedRules(
  text: string,
  { owner, providers }: Pick<Config, 'owner' | 'providers'>,
): Promise<readonly Rule[]> {
  const { value, faults } = readDocument(text);
  if (faults.length > 0) throw new ConfigError(NAME, faults);
  const scopes = isRecord(value) && isRecord(value.scopes) ? value.scopes : value;
  const whole = {
    owner,
    mode: 'observe',
    providers: providers.map(({ name, kind, apis }) => ({ name, kind, apis })),
    scopes,
  };
  let isRead = false;
  const readFile = async () => {
    if (isRead) throw new Error('not read for a simulation');
    isRead = true;
    return canonicalJson(whole);
  };
  try {
    return toMapping(await loadMapping({ path: NAME, environment: {}, readFile })).rules;
  } catch (error) {
    // Its places are in the text that this function made.
    if (!(error instanceof ConfigError)) throw error;
    throw configError(
      error.problems.map(({ path, message }) => `${formatPath(path)}: ${message}`).join('\n'),
    );
  }
}
