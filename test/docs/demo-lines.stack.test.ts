import { expect, it, onTestFinished } from 'vitest';
import { blocks, textOf } from './manual.js';
import { runOnDemo } from './run-on-demo.js';

it('the lines of try-on-the-demo.md show a gateway, a freeze, a grant, a call and a proposal', async () => {
  const lines = blocks(textOf('docs/how-to/try-on-the-demo.md'), 'sh').join('\n');
  const shown = await runOnDemo(lines, {}, onTestFinished);
  for (const text of [
    'allowed  edge -> orders  GET /v1/orders',
    'reachable  edge -> orders',
    'Frozen: os:',
    'web -> payments',
    'RBAC: access denied',
    'allowed  web -> payments  GET /v1/charges',
    'What if `client=web-app,-scope=orders:read`',
    '"verdict": "allowed"',
    'ACL rules: 1.',
    'key_prefix',
    'Description `token of reports-job`',
  ])
    expect(shown).toContain(text);
  expect(shown).not.toContain('not reachable');
}, 300_000);
