import { sign } from 'node:crypto';
import { takeRsaPair } from '../rsa-keys.js';

/** A certificate of its own key, in PEM, if asked for that of a server at an IPv4 address (RFC 5280, section 4.2.1.6): as small as X.509 allows (RFC 5280, section 4.1). */
export function selfSigned(address?: string): { readonly certificate: string; readonly key: string } {
  const { publicKey, privateKey } = takeRsaPair();
  const algorithm = Buffer.from('300d06092a864886f70d01010b0500', 'hex');
  const name = der(
    0x30,
    der(0x31, der(0x30, Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from('test')))),
  );
  const validity = der(
    0x30,
    der(0x17, Buffer.from('260101000000Z')),
    der(0x17, Buffer.from('491231235959Z')),
  );
  const serial = der(0x02, Buffer.from([1]));
  const version = der(0xa0, der(0x02, Buffer.from([2])));
  const signed = der(
    0x30,
    ...(address === undefined ? [] : [version]),
    serial,
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(address === undefined ? [] : [extensions(address)]),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', signed, privateKey));
  const text = der(0x30, signed, algorithm, signature).toString('base64').replace(/.{64}/g, '$&\n');
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
  };
}

/** Only subjectAltName. */
function extensions(address: string): Buffer {
  const names = der(0x30, der(0x87, Buffer.from(address.split('.').map(Number))));
  return der(0xa3, der(0x30, der(0x30, Buffer.from('0603551d11', 'hex'), der(0x04, names))));
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
