import type { Cell, Route } from '../cell.js';
import { type ConsulReply, type ConsulRequest, jsonReply } from '../exchange.js';
import { queryHeaders } from '../read-reply.js';

export const aclTokenRoutes: readonly Route[] = [
  { path: '/v1/acl/token/self', methods: { GET: readOwnToken } },
];

function readOwnToken(cell: Cell, request: ConsulRequest): ConsulReply {
  const row = cell.acl.tokenOf(request);
  return jsonReply(
    request,
    row,
    queryHeaders(request, { index: cell.store.indexOf('acl-tokens'), value: row }),
  );
}
