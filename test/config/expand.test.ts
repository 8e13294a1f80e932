// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration file
import { describe, expect, it } from 'vitest';
import { expand } from '../../config/expand.js';
import { faultsOf, fileWith, loadText } from './load-text.js';

const environment = { NAME: 'value', EMPTY: '', NESTED: '${NAME}', MULTILINE: 'a: b\nc: [d]' };

async function expandOne(text: string, files: Record<string, string> = {}): Promise<unknown> {
  const { value, findings } = await expand(text, {
    environment,
    directory: '/etc/scopemesh',
    readFile: async (path) => {
      const content = files[path];
      if (content === undefined) throw Object.assign(new Error('secret'), { code: 'ENOENT' });
      return content;
    },
  });
  return findings.length > 0 ? findings.map(({ message }) => message) : value;
}

describe('References in values', () => {
  it.each([
    ['${NAME}', 'value'],
    ['a-${NAME}-${NAME}', 'a-value-value'],
    ['${NAME:-default}', 'value'],
    ['${MISSING:-default}', 'default'],
    ['${EMPTY:-default}', 'default'],
    ['${EMPTY}', ''],
    ['${MISSING:-}', ''],
    ['${MISSING:-a:-b c}', 'a:-b c'],
    ['$${NAME}', '${NAME}'],
    ['$$${NAME}', '$${NAME}'],
    ['$NAME $ {NAME} $', '$NAME $ {NAME} $'],
    ['${NESTED}', '${NAME}'],
    ['${MULTILINE}', 'a: b\nc: [d]'],
    ['plain {service}', 'plain {service}'],
  ])('%s becomes %s', async (text, expected) => {
    expect(await expandOne(text)).toBe(expected);
  });

  it.each([
    ['${file:secret}', 'line'],
    ['${file:/run/secret}', 'two\n'],
    ['<${file:../windows}>', '<dos>'],
  ])('%s becomes the content of the file without one line end', async (text, expected) => {
    const files = { '/etc/scopemesh/secret': 'line\n', '/run/secret': 'two\n\n', '/etc/windows': 'dos\r\n' };

    expect(await expandOne(text, files)).toBe(expected);
  });

  it.each([
    ['${MISSING}', 'the environment variable MISSING is not set'],
    ['${toString}', 'the environment variable toString is not set'],
    ['${', 'the reference that begins with ${ is incomplete'],
    ['${}', 'the reference that begins with ${ is incomplete'],
    ['${A B}', 'the reference that begins with ${ is incomplete'],
    ['${A-b}', 'the reference that begins with ${ is incomplete'],
    ['${file:}', '${file:} names no file'],
    ['${file:none}', 'the file "none" cannot be read (ENOENT)'],
  ])('%s is a fault', async (text, fault) => {
    expect(await expandOne(text)).toEqual([fault]);
  });

  it('to a file above 1 MiB are refused', async () => {
    const files = { '/etc/scopemesh/big': 'x'.repeat(1024 * 1024 + 1) };

    expect(await expandOne('${file:big}', files)).toEqual(['the file "big" is larger than 1 MiB']);
  });

  it('stay as they are in keys', async () => {
    const scopes = 'scopes: { "a:$${X}": { to: orders } }';

    expect(await faultsOf(fileWith(scopes, 'scopes'))).toEqual([
      '1:11: scopes."a:$${X}": has a brace that is not part of a capture; write {name} with a lower-case letter first, then letters and digits',
    ]);
  });

  it('give numbers, durations, switches, kinds and choices', async () => {
    const text = `guards: { maxRevocations: { percent: "\${PERCENT}" }, approvers: "\${APPROVERS}" }
resync: \${RESYNC:-30s}
login: \${LOGIN}
mode: \${MODE}
queue: { kind: "\${QUEUE}", url: "redis://r", allowUnsafeRedis: "\${UNSAFE}" }`;

    const config = await loadText(fileWith(text, 'mode'), {
      environment: {
        PERCENT: '7',
        APPROVERS: '2',
        LOGIN: 'false',
        MODE: 'extend',
        QUEUE: 'bullmq',
        UNSAFE: 'true',
      },
    });

    expect(config).toMatchObject({
      guards: { maxRevocations: { percent: 7 }, approvers: 2 },
      resyncMs: 30_000,
      login: false,
      mode: 'extend',
      queue: { kind: 'bullmq', allowUnsafeRedis: true },
    });
  });

  it('are text and are never parsed as YAML again', async () => {
    const text = 'services: { clientTag: "${TAG}" }';

    const config = await loadText(fileWith(text), {
      environment: { TAG: '{ a: 1 }\nmode: observe' + ' #' },
    }).catch((error: Error) => error.message);

    expect(config).toContain('1:24: services.clientTag: holds a control character; remove it');
  });

  it('that fail are reported once with their place, and hide no other fault', async () => {
    const text = `mode: \${MISSING}
services:
  clientTag: "\${ALSO_MISSING}"
  claims: frist`;

    expect(await faultsOf(fileWith(text, 'mode'))).toEqual([
      '1:7: mode: the environment variable MISSING is not set; set it or write ${MISSING:-default}',
      '3:14: services.clientTag: the environment variable ALSO_MISSING is not set; set it or write ${ALSO_MISSING:-default}',
      '4:11: services.claims: must be one of confirmed, first; did you mean "first"?',
    ]);
  });
});
