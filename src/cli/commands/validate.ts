import type { Config } from '../../../config/config.js';
import { ConfigError, formatPath } from '../../../config/config-error.js';
import { type Finding, finding } from '../../../config/finding.js';
import { loadConfig } from '../../../config/load.js';
import { toMapping } from '../../../config/mapping-revision.js';
import { SyncError } from '../../errors.js';
import type { Cli } from '../cli.js';
import { defineCommand } from '../command.js';
import { userRuleFindings } from '../doctor/jwt-findings.js';

export const validate = defineCommand({
  name: 'validate',
  summary: 'check the configuration file without any server',
  description:
    'Checks the configuration file without any server and reports every fault with its line and column.',
  json: 'print one JSON document: valid, and problems',
  exit: '0 if the file is valid; 1 if not.',
  examples: ['scopemesh validate', 'scopemesh validate -c /etc/scopemesh/scopemesh.yaml --json'],
  async ask({ json }, cli) {
    try {
      await loadConfig(cli.loadOptions(), async (config) => [
        ...userFindings(config),
        ...(await providerFindings(config, cli)),
      ]);
      return { valid: true, problems: [] };
    } catch (error) {
      if (!json || !(error instanceof ConfigError)) throw error;
      const problems = error.problems.map((problem) => ({ ...problem, path: formatPath(problem.path) }));
      return { valid: false, problems };
    }
  },
  print: (_, { screen }) => screen.line('The configuration is valid.'),
  status: ({ valid }) => (valid ? 0 : 1),
});

/** Why no user's token could ever pass. The daemon starts all the same, and holds what the rules would open. */
function userFindings(config: Config): readonly Finding[] {
  return userRuleFindings(toMapping(config))
    .filter(({ severity }) => severity === 'error')
    .map(({ message, remedy }) => finding(['providers'], `${message}; ${remedy}`));
}

/** What a provider's adapter refuses at the start: its addresses and keys. It sends no request before it is used. */
async function providerFindings(config: Config, cli: Cli): Promise<readonly Finding[]> {
  const { openProvider } = await cli.context.adapters();
  const runtime = await cli.runtime(true);
  const found: Finding[] = [];
  for (const [index, settings] of config.providers.entries()) {
    try {
      const { directory } = await openProvider(settings, config, runtime);
      await directory.close();
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'ERR_CONFIG') throw error;
      found.push(finding(['providers', index], error.message));
    }
  }
  return found;
}
