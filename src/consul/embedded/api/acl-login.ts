import type { Cell, Route } from '../cell.js';
import type { ConsulReply, ConsulRequest } from '../exchange.js';
import { replyWithQuery } from '../read-reply.js';

/** Nobody can log in yet: there are no auth methods and no binding rules, and none can be made. */
export const aclLoginRoutes: readonly Route[] = [
  { path: '/v1/acl/auth-methods', methods: { GET: listNone } },
  { path: '/v1/acl/binding-rules', methods: { GET: listNone } },
];

function listNone(cell: Cell, request: ConsulRequest): Promise<ConsulReply> {
  cell.acl.authorize(request).require('acl', 'read');
  return replyWithQuery(cell, request, () => ({ index: 1, value: [] }));
}
