import { sign } from 'node:crypto';
import { takeRsaPair } from '../rsa-keys.js';

/** A certificate of its own key, in PEM: as small as X.509 allows (RFC 5280, section 4.1). */
export function selfSigned(): { readonly certificate: string; readonly key: string } {
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
  const signed = der(
    0x30,
    serial,
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', signed, privateKey));
  const text = der(0x30, signed, algorithm, signature).toString('base64').replace(/.{64}/g, '$&\n');
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
  };
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
