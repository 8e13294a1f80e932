import type { CheckRow, NodeRow, ServiceRow } from '../state/rows.js';

/** Rows in the several spellings that Consul's answers give them. */
export function nodeView(row: NodeRow): Record<string, unknown> {
  return { ...row };
}

export function catalogServiceView(row: ServiceRow, node: NodeRow): Record<string, unknown> {
  return {
    ID: node.ID,
    Node: node.Node,
    Address: node.Address,
    Datacenter: node.Datacenter,
    TaggedAddresses: node.TaggedAddresses,
    NodeMeta: node.Meta,
    ServiceKind: row.Kind,
    ServiceID: row.ID,
    ServiceName: row.Service,
    ServiceTags: row.Tags ?? [],
    ServiceAddress: row.Address,
    ...(row.TaggedAddresses === null ? {} : { ServiceTaggedAddresses: row.TaggedAddresses }),
    ServiceWeights: row.Weights,
    ServiceMeta: row.Meta ?? {},
    ServicePort: row.Port,
    ServiceSocketPath: row.SocketPath,
    ServiceEnableTagOverride: row.EnableTagOverride,
    ServiceProxy: row.Proxy,
    ServiceConnect: row.Connect,
    CreateIndex: row.CreateIndex,
    ModifyIndex: row.ModifyIndex,
  };
}

export function nodeServiceView(row: ServiceRow): Record<string, unknown> {
  return {
    ...(row.Kind === '' ? {} : { Kind: row.Kind }),
    ID: row.ID,
    Service: row.Service,
    Tags: row.Tags ?? [],
    Address: row.Address,
    ...(row.TaggedAddresses === null ? {} : { TaggedAddresses: row.TaggedAddresses }),
    Meta: row.Meta,
    ...(row.Port === 0 ? {} : { Port: row.Port }),
    ...(row.SocketPath === '' ? {} : { SocketPath: row.SocketPath }),
    Weights: row.Weights,
    EnableTagOverride: row.EnableTagOverride,
    Proxy: row.Proxy,
    Connect: row.Connect,
    PeerName: '',
    CreateIndex: row.CreateIndex,
    ModifyIndex: row.ModifyIndex,
  };
}

export function checkView(row: CheckRow): Record<string, unknown> {
  return { ...row };
}
