// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration file
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ConfigError } from '../../../config/config-error.js';
import { anyCharacter } from '../../support/any-character.js';
import { errorOf, fileWith } from '../load-text.js';

const KEYS = [
  ...[
    'owner',
    'mode',
    'consul',
    'providers',
    'services',
    'scopes',
    'login',
    'groups',
    'actors',
    'guards',
    'queue',
  ],
  ...[
    'decisions',
    'http',
    'state',
    'resync',
    'kind',
    'name',
    'issuer',
    'directory',
    'webhook',
    'secrets',
    'to',
    'acl',
  ],
  ...[
    'methods',
    'path',
    'pathRegex',
    'headers',
    'classify',
    'agent',
    'never',
    'freeze',
    'tls',
    'sasl',
    'brokers',
    'a:{b}',
  ],
];

const leaf = fc.oneof(
  fc.constantFrom(
    'keycloak',
    'oidc',
    'bullmq',
    'kafka',
    'enforce',
    '30s',
    'on',
    '{b}',
    '*',
    '${X}',
    '${X:-1}',
    '/v1',
  ),
  fc.string({ unit: anyCharacter, maxLength: 12 }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
);

const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...KEYS), fc.string({ maxLength: 6 })), tie('tree'), {
      maxKeys: 8,
    }),
  ),
}));

async function expectConfigError(text: string): Promise<void> {
  const error = await errorOf(text);
  expect(error).toBeInstanceOf(ConfigError);
  const lines = text.split(/\r\n|\r|\n/).length;
  for (const { line, column, message } of error?.problems ?? []) {
    expect(line).toBeGreaterThanOrEqual(1);
    expect(line).toBeLessThanOrEqual(lines);
    expect(column).toBeGreaterThanOrEqual(1);
    expect(message).not.toBe('');
  }
  expect(error?.problems.length).toBeGreaterThan(0);
}

describe('A file of garbage ends in a ConfigError with places inside the file', () => {
  it('when it is arbitrary text', async () => {
    const characters = fc.constantFrom(
      ...'abc:{}[]-&*!|>\'"%@`#,? \n\t${}~0.',
      '\u{1f600}',
      '\r\n',
      '---\n',
      'a: ',
    );

    await fc.assert(fc.asyncProperty(fc.string({ unit: characters, maxLength: 80 }), expectConfigError), {
      numRuns: 200,
    });
  });

  it('when it is a good document of wrong shape', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...KEYS.slice(0, 15)), tree), async (value) => {
        // Without providers no file is good.
        await expectConfigError(stringify({ ...value, providers: [] }, { keepUndefined: false }));
      }),
      { numRuns: 100 },
    );
  });

  it('when a good file has one key too many anywhere at the top', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, maxLength: 20 }), tree, async (key, value) => {
        fc.pre(!KEYS.includes(key) && key !== '$schema' && key !== '__proto__');
        await expectConfigError(fileWith(stringify({ [key]: value })));
      }),
      { numRuns: 80 },
    );
  });
});
