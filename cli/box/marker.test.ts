import { join } from 'node:path';
import { expect } from 'chai';
import { createTestDeps } from '../testing/create-test-deps.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';
import { findBox } from './connection.ts';
import { loadMarker } from './marker.ts';

const MARKER = { vps: true, conductor: 'http://localhost:8080', version: '1.0' };

describe('the marker of a box', () => {
  it('makes a sign-in needless', async () => {
    await using folder = await createTemporaryFolder({ marker: JSON.stringify(MARKER) });
    const env = { SPOQ_VPS_MARKER: join(folder.path, 'marker') };
    expect(await loadMarker(env)).to.deep.equal(MARKER);
    expect(await findBox(createTestDeps({ env }))).to.deep.equal({ url: new URL(MARKER.conductor), on_box: true });
  });

  it('is missing everywhere else', async () => {
    expect(await loadMarker({ SPOQ_VPS_MARKER: '/nonexistent/marker' })).to.equal(undefined);
  });

  for (const [name, text, detail] of [
    ['broken', '{"vps": tr', 'says that this is a box, but it is broken.'],
    ['of another kind', '{"vps": false}', 'says that this is a box, but it is broken.'],
    [
      'pointing to another machine',
      JSON.stringify({ ...MARKER, conductor: 'https://evil.example' }),
      'names a conductor on another machine',
    ],
  ] as const) {
    it(`is refused when it is ${name}`, async () => {
      await using folder = await createTemporaryFolder({ marker: text });
      const env = { SPOQ_VPS_MARKER: join(folder.path, 'marker') };
      const error = await findBox(createTestDeps({ env })).catch((thrown: unknown) => thrown);
      expect(error).to.include({ code: 'file_unusable', exit: 74 });
      expect(error).to.have.property('detail').that.contains(detail);
    });
  }

  it('is refused when it cannot be read', async () => {
    await using folder = await createTemporaryFolder();
    const error = await loadMarker({ SPOQ_VPS_MARKER: folder.path }).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'file_unusable', detail: `${folder.path} cannot be read.` });
  });
});
