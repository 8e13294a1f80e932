import { describe, expect, it } from 'vitest';
import { httpsProxyIn } from '../../src/cli/https-proxy.js';

describe('HTTPS_PROXY', () => {
  it.each([
    [{}, undefined],
    [{ HTTPS_PROXY: '' }, undefined],
    [{ HTTP_PROXY: 'http://proxy:3128', ALL_PROXY: 'http://proxy:3128' }, undefined],
    [{ HTTPS_PROXY: 'http://proxy:3128' }, 'http://proxy:3128 '],
    [{ HTTPS_PROXY: 'proxy:3128', NO_PROXY: '.example.com' }, 'http://proxy:3128 .example.com'],
    [{ HTTPS_PROXY: 'http://a', https_proxy: 'https://b', NO_PROXY: 'c', no_proxy: 'd' }, 'https://b d'],
  ])('%j', (environment, expected) => {
    const found = httpsProxyIn(environment);
    expect(found && `${found.url.reveal()} ${found.except}`).toBe(expected);
  });

  it.each(['socks5://ann:secret-word@proxy', 'http://ann:secret-word@', 'http://ann:secret-word@a b'])(
    'is an error that does not repeat it: %s',
    (text) => {
      let message = '';
      try {
        httpsProxyIn({ HTTPS_PROXY: text });
      } catch (error) {
        message = String(error);
      }
      expect(message).toContain('HTTPS_PROXY is not the address of a proxy');
      expect(message).not.toContain('secret-word');
    },
  );

  it('does not print its password', () => {
    const found = httpsProxyIn({ HTTPS_PROXY: 'http://ann:secret-word@proxy:3128' });
    expect(JSON.stringify(found)).not.toContain('secret-word');
  });
});
