import { describe, expect, it } from 'vitest';
import { isSameContent } from '../../src/consul/content.js';

const raw = (sources: readonly object[], more: object = {}) => ({
  Kind: 'service-intentions',
  Name: 'orders',
  Sources: sources,
  CreateIndex: 1,
  ModifyIndex: 2,
  ...more,
});

describe('the comparison of what was sent with what was read back', () => {
  const web = { Name: 'web', Action: 'allow', Type: 'consul', Description: 'd' };
  const api = { Name: 'api', Permissions: [{ Action: 'allow', HTTP: { Methods: ['get'] } }] };

  it('ignores what Consul computes, sorts, fills in and leaves out', () => {
    const sent = raw([web, api], { Meta: null });
    const read = raw(
      [
        {
          ...api,
          Permissions: [{ Action: 'allow', HTTP: { Methods: ['GET'], Header: null } }],
          Precedence: 9,
          Type: 'consul',
        },
        { ...web, Precedence: 8, Namespace: 'default' },
      ],
      { CreateIndex: 8, ModifyIndex: 9, Hash: 123, Partition: 'default' },
    );
    expect(isSameContent(sent, read)).toBe(true);
  });

  it.each([
    ['a source more', raw([web, api])],
    ['no source', raw([])],
    ['another action', raw([{ ...web, Action: 'deny' }])],
    ['another description', raw([{ ...web, Description: 'e' }])],
    ['another source twice', raw([web, web])],
    ['another name', raw([web], { Name: 'Orders' })],
    ['a value in Meta, though an empty one', raw([web], { Meta: { a: '' } })],
    ['a requirement of the entry', raw([web], { JWT: { Providers: [{ Name: 'idp' }] } })],
  ])('sees %s', (_, other) => {
    expect(isSameContent(raw([web]), other)).toBe(false);
  });

  it('sees the order of permissions, for the first that matches decides', () => {
    const permissions = [
      { Action: 'deny', HTTP: { PathPrefix: '/a' } },
      { Action: 'allow', HTTP: { PathPrefix: '/' } },
    ];
    const turned = permissions.toReversed();
    expect(
      isSameContent(
        raw([{ Name: 'w', Permissions: permissions }]),
        raw([{ Name: 'w', Permissions: turned }]),
      ),
    ).toBe(false);
  });
});
