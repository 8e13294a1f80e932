import { describe, expect, it } from 'vitest';
import { isLoopback, isLoopbackHost } from '../../src/model/is-loopback.js';

describe('a host', () => {
  it.each(['localhost', '127.0.0.1', '127.8.9.10', '::1', '[::1]', '::ffff:127.0.0.1'])(
    'means this machine: %s',
    (host) => expect(isLoopback(host)).toBe(true),
  );

  it.each([
    '',
    '0.0.0.0',
    '::',
    '128.0.0.1',
    '127.0.0.1.example.com',
    'example.com',
    'localhost.example.com',
    '::ffff:10.0.0.1',
    // Only a resolver knows these.
    'idp.localhost',
    'LOCALHOST.',
    '::ffff:localhost',
    '[::1',
    '::1]',
    '127.0.0.256',
    '::1%lo',
  ])('may mean another machine: %j', (host) => expect(isLoopback(host)).toBe(false));
});

describe('a Host header', () => {
  it.each(['localhost', 'LocalHost:8080', '127.0.0.1', '127.0.0.1:1', '[::1]', '[::1]:8080'])(
    'names this machine: %s',
    (header) => expect(isLoopbackHost(header)).toBe(true),
  );

  it.each([
    '',
    ':8080',
    '[::1].evil.test',
    '[::1].evil.test:8080',
    '[::1]evil.test',
    '[::1]:8080:80',
    '[::1%25eth0]',
    '::1',
    'localhost.',
    'localhost:',
    'localhost:http',
    'localhost:8080.evil.test',
    'localhost@evil.test',
    'evil.test@localhost',
    'localhost, evil.test',
    'localhost/evil.test',
    '127.0.0.1.evil.test',
    '0x7f.1',
    '2130706433',
  ])('may name another: %j', (header) => expect(isLoopbackHost(header)).toBe(false));
});
