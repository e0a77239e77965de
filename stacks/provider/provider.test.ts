import { expect } from 'chai';
import ssh2 from 'ssh2';
import * as rpc from '@pulumi/pulumi/runtime/rpc.js';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VendorError } from '../vendors/http.ts';
import type { Vendor, VendorInstance } from '../vendors/vendor.ts';
import { changeInstance } from './change-instance.ts';
import { createInstance, releaseInstance, type InstanceContext, UnfinishedInstance } from './instance.ts';
import { checkInstance, diffInstance, findAct, keepInputs, readOperations } from './instance-inputs.ts';
import { loadVendors } from './config.ts';
import { createSshKeyPair, generateWholePair } from './ssh-key.ts';
import { secret, unwrap, UNKNOWN } from './values.ts';

const INPUTS = {
  provider: 'contabo',
  name: 'box-1',
  domain: 'spoq.dev',
  region: 'EU',
  product: 'V153',
  userData: '#cloud-config\n{}',
};
const ORDER = { ...INPUTS, provider: 'contabo' as const };

describe('check of an instance', () => {
  it('names every fault at once', () => {
    const failures = checkInstance({
      provider: 'aws',
      name: 'box.1',
      domain: 'dev',
      region: '',
      colour: 'red',
      userData: '',
    });
    expect(failures.map(({ property }) => property).toSorted()).to.deep.equal([
      'colour',
      'domain',
      'name',
      'product',
      'provider',
      'region',
      'userData',
    ]);
  });

  it('lets pass what is right, and what is not known yet', () => {
    expect(checkInstance(INPUTS)).to.deep.equal([]);
    expect(checkInstance({ ...INPUTS, userData: secret('#cloud-config\n{}') })).to.deep.equal([]);
    expect(checkInstance({ ...INPUTS, userData: rpc.unknownValue, region: rpc.unknownValue })).to.deep.equal([]);
  });

  it('keeps to what each vendor takes, without telling the user data', () => {
    expect(checkInstance({ ...INPUTS, userData: secret('hostname: alice') })).to.deep.equal([
      { property: 'userData', reason: 'does not begin with #cloud-config' },
    ]);
    const long = `#!/bin/bash\n${'x'.repeat(48 * 1024)}`;
    expect(checkInstance({ ...INPUTS, provider: 'hostinger', userData: long })).to.deep.equal([
      { property: 'userData', reason: `has ${long.length} bytes; Hostinger takes fewer than 49152` },
    ]);
    expect(checkInstance({ ...INPUTS, provider: 'hostinger' })).to.deep.equal([
      { property: 'userData', reason: 'is not a script' },
    ]);
  });
});

describe('diff of an instance', () => {
  const { userData: _, ...olds } = INPUTS;
  const CASES: [string, object, string[], boolean][] = [
    ['nothing', {}, [], false],
    ['user data', { userData: '#cloud-config\n{"other":1}' }, [], false],
    ['image', { image: 'another' }, [], false],
    ['name', { name: 'box-2' }, [], true],
    ['region', { region: 'UK' }, ['region'], true],
    ['product', { product: 'V154' }, ['product'], true],
    ['provider', { provider: 'hostinger' }, ['provider'], true],
  ];
  for (const [name, change, replaces, changes] of CASES)
    it(`${name}: ${changes ? (replaces.length > 0 ? 'another machine' : 'in place') : 'no change'}`, () => {
      expect(diffInstance(olds, { ...INPUTS, ...change })).to.deep.equal({
        changes,
        replaces,
        deleteBeforeReplace: true,
      });
    });
});

describe('a wish of the inputs', () => {
  it('is a change until it has been carried out, and only then', () => {
    const changes = (olds: object, news: object) =>
      diffInstance({ ...INPUTS, ...olds }, { ...INPUTS, ...news }).changes;
    expect(changes({ lastOperation: 1 }, { restart: 2 })).to.equal(true);
    expect(changes({}, { install: 1 }), 'a stack from before there were operations').to.equal(true);
    for (const olds of [{}, { lastOperation: 2 }]) expect(changes(olds, {})).to.equal(false);
    expect(changes({ lastOperation: 2 }, { install: 2 })).to.equal(false);
    expect(findAct({ lastOperation: 1 }, { install: 2 })).to.deep.equal({ name: 'install', number: 2 });
    expect(findAct({ lastOperation: 1, lastStop: 1 }, { stop: 2 })).to.deep.equal({ name: 'stop', number: 2 });
    expect(findAct({ lastOperation: 1, lastStop: 2 }, { stop: 2 })).to.equal(undefined);
    expect(findAct({ lastOperation: 1 }, { restart: 2 })).to.deep.equal({ name: 'restart', number: 2 });
  });

  it('is remembered by its number alone', () => {
    expect(keepInputs({ ...INPUTS, restart: 3, install: 4 })).to.not.have.any.keys('restart', 'install', 'userData');
    expect([
      readOperations({}, {}),
      readOperations({ lastOperation: 4 }, {}),
      readOperations({ lastOperation: 4 }, { install: 5 }),
      readOperations({ lastOperation: 4, lastStop: 3 }, { stop: 5 }),
    ]).to.deep.equal([
      { lastOperation: 0, lastStop: 0 },
      { lastOperation: 4, lastStop: 0 },
      { lastOperation: 5, lastStop: 0 },
      { lastOperation: 4, lastStop: 5 },
    ]);
  });
});

describe('a machine', () => {
  /** A vendor of one account, whose answers a test can spoil. */
  function createVendor(spoil: Partial<Vendor> = {}): { vendor: Vendor; machines: VendorInstance[]; calls: string[] } {
    const machines: VendorInstance[] = [];
    const calls: string[] = [];
    const find = (id: string): VendorInstance | undefined => machines.find((one) => one.id === id);
    const vendor: Vendor = {
      provider: 'contabo',
      label: 'Contabo',
      find: async (name) => machines.filter((one) => one.name === name && one.endsAt === null),
      get: async (id) => find(id),
      list: async () => machines,
      buy: async ({ name }) => {
        const id = String(machines.length + 1);
        machines.push({
          id,
          name,
          phase: 'ready',
          state: 'running',
          ipAddress: '192.0.2.1',
          mayHoldData: true,
          region: 'EU',
          product: 'V153',
          endsAt: null,
        });
        return id;
      },
      finish: async () => false,
      tidy: async () => {},
      rename: async (id, name) => void Object.assign(find(id) ?? {}, { name }),
      restart: async (id) => void calls.push(`restart ${id}`),
      stop: async (id) => {
        calls.push(`stop ${id}`);
        Object.assign(find(id) ?? {}, { state: 'stopped', phase: 'working', ipAddress: null });
      },
      reinstall: async (id) => void calls.push(`reinstall ${id}`),
      wipe: async (id) => void calls.push(`wipe ${id}`),
      endRenewal: async (id) => {
        calls.push(`end ${id}`);
        Object.assign(find(id) ?? {}, { endsAt: '2030-01-01' });
      },
      ...spoil,
    };
    return { vendor, machines, calls };
  }
  const contextOf = (vendor: Vendor, deadlineMs = 1_000): InstanceContext => ({
    vendor,
    pollMs: 1,
    deadlineMs,
    signal: new AbortController().signal,
    report: () => {},
  });

  it('that is there already is taken, not bought', async () => {
    const { vendor, machines } = createVendor();
    await vendor.buy(ORDER);
    expect((await createInstance(contextOf(vendor), ORDER)).id).to.equal('1');
    expect(machines).to.have.length(1);
  });

  it('that is there twice is a fault that names both', async () => {
    const { vendor } = createVendor();
    await vendor.buy(ORDER);
    await vendor.buy(ORDER);
    const error = await createInstance(contextOf(vendor), ORDER).catch((reason: Error) => reason.message);
    expect(error).to.equal('Contabo has 2 machines named box-1 (1, 2); one too many must be given up by hand.');
  });

  it('whose order waits for its payment is never ordered twice', async () => {
    let orders = 0;
    const { vendor, machines } = createVendor({ buy: async () => void (orders += 1) as undefined });
    const error = await createInstance(contextOf(vendor, 30), ORDER).catch((reason: Error) => reason.message);
    expect([error, orders, machines.length]).to.deep.equal([
      'Contabo has taken the order and not delivered the machine in time.',
      1,
      0,
    ]);
  });

  it('whose order shows in the list only later is not ordered again', async () => {
    const { vendor, machines } = createVendor();
    const { buy, find } = vendor;
    let looks = 0;
    const slow: Vendor = {
      ...vendor,
      buy: async (order) => {
        await buy(order);
        throw new VendorError('Contabo', 'unreachable', 'Contabo could not be reached');
      },
      find: async (name) => ((looks += 1) < 4 ? [] : find(name)),
    };
    await createInstance(contextOf(slow), ORDER);
    expect(machines).to.have.length(1);
  });

  it('that never runs is told with its id and its last state', async () => {
    const { vendor } = createVendor({
      get: async (id) => ({
        id,
        name: 'box-1',
        phase: 'working',
        state: 'installing',
        ipAddress: null,
        mayHoldData: false,
        region: '',
        product: '',
        endsAt: null,
      }),
    });
    const error = await createInstance(contextOf(vendor, 20), ORDER).catch((reason: unknown) => reason);
    if (!(error instanceof UnfinishedInstance)) throw error;
    expect([error.id, error.message]).to.deep.equal([
      '1',
      'Contabo did not have the machine running within 0 s (last state: installing).',
    ]);
  });

  const INSTALL = { name: 'install', number: 1 } as const;

  it('that is being installed already is only waited for', async () => {
    const { vendor, machines, calls } = createVendor();
    await vendor.buy(ORDER);
    Object.assign(machines[0] ?? {}, { phase: 'working', state: 'installing', mayHoldData: false });
    const told: string[] = [];
    const report = (message: string): void => {
      told.push(message);
      if (message === 'Contabo: installing') Object.assign(machines[0] ?? {}, { phase: 'ready', state: 'running' });
    };
    expect((await changeInstance({ ...contextOf(vendor), report }, '1', ORDER, INSTALL)).id).to.equal('1');
    expect(calls).to.deep.equal([]);
    expect(told[0]).to.equal('Contabo: the machine is being installed already');
  });

  it('that is stopped is installed when it is asked for', async () => {
    const { vendor, machines, calls } = createVendor();
    await vendor.buy(ORDER);
    Object.assign(machines[0] ?? {}, { phase: 'working', state: 'stopped' });
    const { reinstall } = vendor;
    const waking: Vendor = {
      ...vendor,
      reinstall: async (id, order) => {
        await reinstall(id, order);
        Object.assign(machines[0] ?? {}, { phase: 'ready', state: 'running' });
      },
    };
    await changeInstance(contextOf(waking), '1', ORDER, INSTALL);
    expect(calls).to.deep.equal(['reinstall 1']);
  });

  it('that is still as it was is told so: nothing is lost, and nothing noted', async () => {
    const refuse = (): Promise<void> =>
      Promise.reject(new VendorError('Contabo', 'refused', 'Contabo answered 409: busy'));
    const { vendor } = createVendor({ restart: refuse, reinstall: refuse });
    await vendor.buy(ORDER);
    for (const [name, verb] of [
      ['install', 'reinstall'],
      ['restart', 'restart'],
    ] as const) {
      const error = await changeInstance(contextOf(vendor), '1', ORDER, { name, number: 1 }).catch(
        (reason: unknown) => reason,
      );
      expect([error instanceof UnfinishedInstance, error instanceof Error && error.message]).to.deep.equal([
        false,
        `Contabo did not ${verb} the machine: busy.`,
      ]);
    }
  });

  it('that does not come back is noted with its last state', async () => {
    const { vendor, machines } = createVendor();
    await vendor.buy(ORDER);
    const broken: Vendor = {
      ...vendor,
      reinstall: async () => void Object.assign(machines[0] ?? {}, { phase: 'broken', state: 'error' }),
    };
    const error = await changeInstance(contextOf(broken), '1', ORDER, INSTALL).catch((reason: unknown) => reason);
    if (!(error instanceof UnfinishedInstance)) throw error;
    expect([error.id, error.message]).to.deep.equal(['1', 'Contabo could not start the machine (error).']);
  });

  it('is wiped before its renewal ends, and nothing happens the second time', async () => {
    const { vendor, machines, calls } = createVendor();
    await vendor.buy(ORDER);
    await releaseInstance(contextOf(vendor), { id: '1', domain: 'spoq.dev' });
    expect(calls).to.deep.equal(['wipe 1', 'end 1']);
    expect(machines[0]).to.deep.include({ name: 'released-1', endsAt: '2030-01-01' });
    await releaseInstance(contextOf(vendor), { id: '1', domain: 'spoq.dev' });
    expect(calls).to.deep.equal(['wipe 1', 'end 1', 'end 1']);
    await releaseInstance(contextOf(vendor), { id: '9', domain: 'spoq.dev' });
  });

  it('that never ran ends although the vendor refuses to wipe and rename it', async () => {
    const refuse = async (): Promise<void> => {
      throw new VendorError('Contabo', 'refused', 'locked', { status: 409 });
    };
    const { vendor, machines, calls } = createVendor({ wipe: refuse, rename: refuse });
    await vendor.buy(ORDER);
    Object.assign(machines[0] ?? {}, { phase: 'broken', state: 'error', mayHoldData: false });
    await releaseInstance(contextOf(vendor), { id: '1', domain: 'spoq.dev' });
    expect(calls).to.deep.equal(['end 1']);
    expect(await vendor.find('box-1'), 'nobody adopts it').to.deep.equal([]);
  });

  it('that has run is not given up while its disk cannot be wiped', async () => {
    const { vendor, calls } = createVendor({
      wipe: () => Promise.reject(new VendorError('Contabo', 'refused', 'locked')),
    });
    await vendor.buy(ORDER);
    await releaseInstance(contextOf(vendor), { id: '1', domain: 'spoq.dev' }).then(
      () => expect.fail('it was given up'),
      (error: Error) => expect(error.message).to.equal('locked'),
    );
    expect(calls).to.deep.equal([]);
  });
});

describe('values of the engine', () => {
  it('lose their wrapping, however deep', () => {
    const bag = { a: secret({ b: [secret('c'), rpc.unknownValue] }), d: 1 };
    expect(unwrap(bag)).to.deep.equal({ a: { b: ['c', UNKNOWN] }, d: 1 });
  });
});

describe('an SSH key pair', () => {
  it('is what OpenSSH reads, with the fingerprint that it shows', async () => {
    const pair = await createSshKeyPair('alice.spoq.dev');
    const folder = mkdtempSync(join(tmpdir(), 'spoq-key-'));
    try {
      const file = join(folder, 'key');
      writeFileSync(file, pair.privateKey, { mode: 0o600 });
      expect(execFileSync('ssh-keygen', ['-y', '-f', file]).toString().trim()).to.equal(pair.publicKey);
      expect(execFileSync('ssh-keygen', ['-l', '-f', file]).toString()).to.include(
        `${pair.fingerprint} alice.spoq.dev (ED25519)`,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('is never one whose public half has lost the zeros that it begins with', () => {
    const whole = generateWholePair(ssh2, '');
    const blob = Buffer.from(whole.public.split(' ')[1] ?? '', 'base64');
    const cut = { ...whole, public: `ssh-ed25519 ${blob.subarray(0, -1).toString('base64')}` };
    const made = [cut, whole];
    const utils = { ...ssh2.utils, generateKeyPairSync: () => made.shift() ?? cut };
    expect(generateWholePair({ utils }, '')).to.equal(whole);
    const lengths = Array.from({ length: 2000 }, () => generateWholePair(ssh2, '').public.split(' ')[1]?.length);
    expect(new Set(lengths), 'base64 of 51 bytes').to.deep.equal(new Set([68]));
  });
});

describe('loadVendors', () => {
  it('makes a client of each vendor that has all its credentials', () => {
    const contabo = {
      CONTABO_CLIENT_ID: 'a',
      CONTABO_CLIENT_SECRET: 'b',
      CONTABO_API_USER: 'c',
      CONTABO_API_PASSWORD: 'd',
    };
    expect(Object.keys(loadVendors({ ...contabo, HOSTINGER_API_KEY: 'e' }).vendors).toSorted()).to.deep.equal([
      'contabo',
      'hostinger',
    ]);
    expect(Object.keys(loadVendors({ ...contabo, CONTABO_API_PASSWORD: '' }).vendors)).to.deep.equal([]);
    expect(() => loadVendors({ PROVISION_POLL_MS: 'soon', CONTABO_API_URL: 'x' })).to.throw(
      /PROVISION_POLL_MS[^]*|CONTABO_API_URL/,
    );
  });
});
