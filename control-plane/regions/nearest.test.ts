import { expect } from 'chai';
import { assert as check, constantFrom, double, property, tuple } from 'fast-check';
import { PROVIDERS } from '../../contract/vps.ts';
import { listRegionsByDistance, measureDistanceKm } from './nearest.ts';
import { REGIONS } from './regions.ts';
import zones from './time-zones.json' with { type: 'json' };

describe('the nearest region', () => {
  const nearest = (timeZone?: string, languages?: string, provider: (typeof PROVIDERS)[number] = 'contabo') =>
    listRegionsByDistance(provider, { timeZone, languages })[0]?.region.id;

  for (const [zone, contabo, hostinger] of [
    ['Europe/Berlin', 'EU', 'fra'],
    ['Europe/London', 'UK', 'fra'],
    ['Europe/Kiev', 'EU', 'vno'],
    ['America/New_York', 'US-east', 'bos2'],
    ['America/Chicago', 'US-central', 'bos2'],
    ['America/Los_Angeles', 'US-west', 'phx'],
    ['America/Sao_Paulo', 'US-east', 'gru'],
    ['Asia/Calcutta', 'IND', 'sin'],
    ['Asia/Tokyo', 'JPN', 'sin'],
    ['Australia/Sydney', 'AUS', 'sin'],
  ] as const)
    it(`is ${contabo} or ${hostinger} in ${zone}`, () => {
      expect([nearest(zone), nearest(zone, undefined, 'hostinger')]).to.deep.equal([contabo, hostinger]);
    });

  it('knows every zone that a browser can name', () => {
    expect(Intl.supportedValuesOf('timeZone').filter((zone) => !(zone in zones))).to.deep.equal([]);
  });

  it('falls back to the languages, then to the first region', () => {
    expect(nearest(undefined, 'en-AU,en;q=0.9')).to.equal('AUS');
    expect(nearest('Not/AZone', 'fr-XX, ja;q=0.5')).to.equal('JPN');
    expect(nearest('__proto__', 'toString')).to.equal('EU');
    expect(nearest()).to.equal('EU');
  });

  it('lists every region once, in order of distance', () => {
    check(
      property(
        constantFrom(...PROVIDERS),
        constantFrom(...Intl.supportedValuesOf('timeZone')),
        (provider, timeZone) => {
          const found = listRegionsByDistance(provider, { timeZone });
          expect(found.map(({ region }) => region.id).sort()).to.deep.equal(
            REGIONS[provider].map(({ id }) => id).sort(),
          );
          const distances = found.map(({ distanceKm }) => distanceKm);
          expect(distances).to.deep.equal(distances.toSorted((a, b) => a - b));
        },
      ),
    );
  });

  it('measures great circles', () => {
    expect(measureDistanceKm([52.5, 13.4], [40.7, -74])).to.be.within(6_370, 6_400);
    expect(measureDistanceKm([0, 0], [0, 180])).to.be.closeTo(Math.PI * 6371, 1);
    const place = tuple(double({ min: -90, max: 90, noNaN: true }), double({ min: -180, max: 180, noNaN: true }));
    check(
      property(place, place, (a, b) => {
        expect(measureDistanceKm(a, a)).to.equal(0);
        expect(measureDistanceKm(a, b)).to.be.closeTo(measureDistanceKm(b, a), 1e-6).and.within(0, 20_016);
      }),
    );
  });
});
