import { describe, expect, it } from 'vitest';
import { isLoopback } from '../../src/model/is-loopback.js';

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
  ])('may mean another machine: %j', (host) => expect(isLoopback(host)).toBe(false));
});
