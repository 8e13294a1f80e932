import { render } from 'preact';
import { App } from './app.js';
import { startKeys } from './keys.js';
import { followLive } from './live.js';
import { reportErrors } from './page-errors.js';
import { startRouter } from './router.js';
import { startSession } from './session.js';

const place = document.getElementById('page');
if (place !== null) {
  reportErrors();
  startRouter();
  startKeys();
  render(<App />, place);
  void followLive();
  await startSession();
}
