/** In the process of the daemon: a handler that throws, as a fault of the program would. */
process.on('SIGUSR2', () => {
  const environment = Object.values(process.env);
  throw Object.assign(new Error(`thrown in a handler (${environment.length} variables)`), {
    code: 'ERR_TEST',
  });
});
