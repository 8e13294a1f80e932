import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { faultsOf, fileWith } from '../../config/load-text.js';
import { startEntra } from '../../support/entra/entra.js';
import { partsOf } from '../../support/entra/parts.js';
import { guidOf } from '../../support/entra/tenant.js';

const text = await readFile(new URL('../../../docs/providers/entra.md', import.meta.url), 'utf8');
const blocks = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = '']) => yaml);
const filled = (yaml: string) => yaml.replace(/TENANT_ID|[A-Z]+_CLIENT_ID/g, guidOf('example'));

describe('The manual about Entra', () => {
  it('shows a valid configuration, also with its webhook', async () => {
    const [provider = '', webhook = ''] = blocks;
    expect(await faultsOf(fileWith(filled(provider), 'providers', 'scopes'))).toEqual([]);
    const indented = webhook.replace(/^(?=.)/gm, '    ');
    const both = filled(provider).replace('    poll: 30s\n', `    poll: 30s\n${indented}`);
    const inputs = { environment: { ENTRA_CLIENT_STATE: 'a text of random characters' } };
    expect(both).toContain('secrets:');
    expect(await faultsOf(fileWith(both, 'providers', 'scopes'), inputs)).toEqual([]);
  });

  it('names every permission that is checked', async () => {
    const entra = await startEntra();
    const { directory } = partsOf(entra, []);
    const checks = (await directory.checkAccess?.(new AbortController().signal)) ?? [];
    expect(checks.length).toBeGreaterThan(3);
    for (const { permission } of checks) expect(text).toContain(`\`${permission}\``);
    await directory.close();
    await entra.close();
  });
});
