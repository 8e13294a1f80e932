import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EntraCredential } from '../../../src/identity/entra/credential.js';
import { Secret } from '../../../src/model/secret.js';
import { selfSigned } from '../../support/entra/certificate.js';
import { type Entra, startEntra } from '../../support/entra/entra.js';
import { partsOf } from '../../support/entra/parts.js';
import { guidOf } from '../../support/entra/tenant.js';

const signal = new AbortController().signal;
let entra: Entra;
let folder: string;

beforeEach(async () => {
  entra = await startEntra();
  folder = await mkdtemp(join(tmpdir(), 'scopemesh-entra-'));
});
afterEach(async () => {
  await entra.close();
  await rm(folder, { recursive: true });
});

const file = (name: string) => join(folder, name);
/** Reads one client with this credential, twice: the second time with a new token. */
const readTwice = async (credential: EntraCredential, between: () => Promise<void> | void = () => {}) => {
  const { directory } = partsOf(entra, [], { credential });
  try {
    await directory.read('clientId', guidOf('scopemesh'), signal);
    await between();
    entra.login.revokeTokens();
    return await directory.read('clientId', guidOf('scopemesh'), signal);
  } finally {
    await directory.close();
  }
};

describe('the credential of scopemesh', () => {
  it('may be a secret, and a token that was revoked early is replaced once', async () => {
    const clientSecret = new Secret(entra.login.registration.clientSecret);
    expect(await readTwice({ kind: 'secret', clientSecret })).toBeDefined();
    expect(entra.login.logins).toEqual(['secret', 'secret']);
  });

  it('may be a certificate, which is read again for each token', async () => {
    const write = async () => {
      const { certificate, key } = selfSigned();
      entra.login.registration.certificate = certificate;
      await Promise.all([writeFile(file('cert.pem'), certificate), writeFile(file('key.pem'), key)]);
    };
    await write();
    const credential = { kind: 'certificate', certFile: file('cert.pem'), keyFile: file('key.pem') } as const;
    expect(await readTwice(credential, write)).toBeDefined();
    expect(entra.login.logins).toEqual(['certificate', 'certificate']);
  });

  it('may be the assertion of another issuer, which is read again for each token', async () => {
    const write = async (assertion: string) => {
      entra.login.registration.assertion = assertion;
      await writeFile(file('token'), `${assertion}\n`);
    };
    await write('first.asser.tion');
    const credential = { kind: 'federated', assertionFile: file('token') } as const;
    expect(await readTwice(credential, () => write('second.asser.tion'))).toBeDefined();
    expect(entra.login.logins).toEqual(['federated', 'federated']);
  });

  it('is reported as wrong without being shown', async () => {
    const clientSecret = new Secret('hunter2-hunter2');
    const outcome = await readTwice({ kind: 'secret', clientSecret }).catch((error: unknown) => error);
    expect(outcome).toMatchObject({ code: 'ERR_DIRECTORY_DENIED' });
    expect(String(outcome)).toMatch(/invalid_client/);
    expect(JSON.stringify(outcome) + String(outcome)).not.toContain('hunter2');
  });

  it('is named by its file if that is missing', async () => {
    const outcome = await readTwice({ kind: 'federated', assertionFile: file('missing') }).catch(
      (error: unknown) => error,
    );
    expect(outcome).toMatchObject({ code: 'ERR_CONFIG' });
    expect(String(outcome)).toContain('missing');
  });
});

describe('a tenant', () => {
  it.each([
    'https://login.microsoftonline.com/example.com/v2.0',
    `https://login.microsoftonline.com/${guidOf('t')}`,
    `http://login.microsoftonline.com/${guidOf('t')}/v2.0`,
    `https://user:password@login.microsoftonline.com/${guidOf('t')}/v2.0`,
    'nonsense',
  ])('cannot have the issuer %s', (issuer) => {
    expect(() => partsOf(entra, [], { issuer })).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
  });

  it('cannot have a Graph without TLS on another machine, or below a path', () => {
    for (const graph of ['http://graph.example.com', 'https://graph.example.com/v1.0'])
      expect(() => partsOf(entra, [], { graph }), graph).toThrow(
        expect.objectContaining({ code: 'ERR_CONFIG' }),
      );
  });
});
