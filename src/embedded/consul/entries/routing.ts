import { serverFailure } from '../exchange.js';
import { any, anyMap, list, pointer, string, stringMap } from '../shape.js';
import type { EntryKind } from './entry-kind.js';

// Kept and shown as they were written. Nothing here routes calls, and Consul's checks between entries are left out.

const place = string('Service? ServiceSubset? Namespace? Partition? Datacenter? Peer?');

function routing(kind: string, fields: EntryKind['shape']): EntryKind {
  return {
    kind,
    shape: [...string('Kind Name'), ...fields, ...stringMap('Meta?')],
    normalize: (entry) => ({ ...entry, Kind: kind }),
    validate: (entry) => {
      if (entry.Name === '') throw serverFailure('Name is required');
    },
    canRead: (authorizer, name) => authorizer.isAllowed('service', 'read', name),
    requireRead: (authorizer, name) => authorizer.require('service', 'read', name),
    requireWrite: (authorizer, name) => authorizer.require('service', 'write', name),
  };
}

export const serviceResolver = routing('service-resolver', [
  ...string('DefaultSubset? ConnectTimeout?'),
  ...anyMap('Subsets? Failover?'),
  ...pointer('Redirect?', place),
]);

export const serviceSplitter = routing('service-splitter', list('Splits', any('Weight'), place));

export const serviceRouter = routing(
  'service-router',
  list('Routes', anyMap('Match?'), pointer('Destination?', place, string('PrefixRewrite?'))),
);

export const terminatingGateway: EntryKind = {
  ...routing('terminating-gateway', list('Services', string('Name CAFile? CertFile? KeyFile? SNI?'))),
  requireWrite: (authorizer) => authorizer.require('mesh', 'write'),
};
