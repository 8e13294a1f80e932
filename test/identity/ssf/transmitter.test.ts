import { afterEach, describe, expect, it, test } from 'vitest';
import { metadataUrls } from '../../../src/identity/ssf/transmitter.js';
import { CAEP, JANE, type Receiver, startReceiver } from './receiver.js';

let receiver: Receiver | undefined;
afterEach(async () => {
  await receiver?.close();
  receiver = undefined;
});

const revoke = async (it: Receiver) => {
  const event = await it.push(it.transmitter.claims({ [`${CAEP}session-revoked`]: {} }, { sub_id: JANE }));
  return event.orders;
};

describe('the configuration of a transmitter', () => {
  test.each([
    ['https://tr.example.com', 'https://tr.example.com/.well-known/ssf-configuration'],
    ['https://tr.example.com/', 'https://tr.example.com/.well-known/ssf-configuration'],
    ['https://tr.example.com/issuer1', 'https://tr.example.com/.well-known/ssf-configuration/issuer1'],
    ['https://tr.example.com/a/b/', 'https://tr.example.com/.well-known/ssf-configuration/a/b'],
  ])('of %s is at %s', (issuer, address) => {
    expect(metadataUrls(new URL(issuer))[0]?.href).toBe(address);
  });

  it('is found with an inserted path, and for a Keycloak below a path', async () => {
    receiver = await startReceiver({ path: '/realms/main' });
    expect(await revoke(receiver)).toHaveLength(1);
    await receiver.close();
    receiver = await startReceiver({ path: '/auth/realms/main', isAppended: true });
    expect(await revoke(receiver)).toHaveLength(1);
    expect(receiver.transmitter.seen.slice(0, 2)).toEqual([
      'GET /.well-known/ssf-configuration/auth/realms/main',
      'GET /auth/realms/main/.well-known/ssf-configuration',
    ]);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['names another issuer', { issuer: 'https://other.example.com' }, 'ERR_CONFIG'],
    ['names no issuer', { issuer: undefined }, 'ERR_DIRECTORY_INCOMPLETE'],
    ['names no keys', { jwks_uri: undefined }, 'ERR_DIRECTORY_INCOMPLETE'],
    ['has its keys in plain http', { jwks_uri: 'http://idp.example.com/jwks' }, 'ERR_CONFIG'],
    ['has its keys in a file', { jwks_uri: 'file:///etc/passwd' }, 'ERR_CONFIG'],
  ])('is refused if it %s', async (_, metadata, code) => {
    receiver = await startReceiver();
    receiver.transmitter.metadata = metadata;
    await expect(revoke(receiver)).rejects.toMatchObject({ code });
  });

  it('that cannot be read is requested again at the next event', async () => {
    receiver = await startReceiver();
    receiver.transmitter.fault = () => ({ status: 429, headers: { 'retry-after': '7' } });
    await expect(revoke(receiver)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_RATE_LIMITED',
      retryAfterMs: 7000,
    });
    receiver.transmitter.fault = undefined;
    expect(await revoke(receiver)).toHaveLength(1);
  });
});
