import { X509Certificate } from 'node:crypto';
import type { Config } from './config.js';
import { failureOf } from './expand.js';
import { type Finding, finding } from './finding.js';

/** Far more than the CAs of a company. Consul stores a copy with each auth method. */
const MAX_BYTES = 32 * 1024;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The configuration with the certificates in each provider's `caFile`, or what is wrong with such a file. */
export async function readCaCerts(
  config: Config,
  readFile: (path: string) => Promise<string>,
): Promise<{ readonly config: Config; readonly findings: readonly Finding[] }> {
  const findings: Finding[] = [];
  const providers = await Promise.all(
    config.providers.map(async (settings, index) => {
      if (settings.caFile === undefined) return settings;
      const text = await readFile(settings.caFile).catch((error: unknown) => ({ failure: failureOf(error) }));
      const caCert = typeof text === 'string' ? certificatesIn(text) : undefined;
      if (caCert !== undefined && caCert !== '' && caCert.length <= MAX_BYTES) return { ...settings, caCert };
      findings.push(finding(['providers', index, 'caFile'], faultOf(text, caCert)));
      return settings;
    }),
  );
  return { config: { ...config, providers }, findings };
}

function faultOf(text: string | { readonly failure: string }, caCert: string | undefined): string {
  if (typeof text !== 'string')
    return `names a file that cannot be read (${text.failure}); check its path and permissions`;
  if (caCert === undefined || caCert === '')
    return 'names a file without a valid certificate; write a file with CA certificates in PEM';
  return `names more than ${MAX_BYTES} bytes of certificates; write a file with the CA of this provider alone`;
}

/** Only the certificates: a file may hold comments, and a key by mistake. Undefined if one of them is not valid. */
function certificatesIn(text: string): string | undefined {
  const found = text.match(CERTIFICATE) ?? [];
  try {
    for (const each of found) new X509Certificate(each);
  } catch {
    return undefined;
  }
  return found.map((each) => `${each}\n`).join('');
}
