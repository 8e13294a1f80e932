// Loaded into a daemon with --import: answers over a Unix socket how long its event loop ran at most without a pause since
// the question before, in milliseconds.
import { createServer } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const path = process.env.BENCH_LOOP_SOCKET;
// A thread of the daemon inherits this import.
if (path !== undefined && isMainThread) {
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  createServer((_request, response) => {
    response.end(String(loop.max / 1e6));
    loop.reset();
  })
    .listen(path)
    .unref();
}
