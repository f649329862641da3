// The kills of tests/faults/kill.test.ts, the moment before every act included.

process.env['STELE_KILL_ALL'] = 'yes';
await import('../faults/kill.test.ts');
