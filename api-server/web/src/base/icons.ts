// Icons of one family: 24 units, lines of 1.8, the color of the text around them. They say nothing to a screen reader; the button's label does.
import {svg} from './dom';

const lines = {
  account: ['M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8z', 'M4.5 20.5c.9-3.6 3.9-5.5 7.5-5.5s6.600 1.900 7.500 5.500'],
  back: ['M15 5l-7 7 7 7'],
  check: ['M5 12.500l4.500 4.500L19 7.500'],
  chart: ['M4 20V10', 'M10 20V4', 'M16 20v-7', 'M21 20H3'],
  close: ['M6 6l12 12', 'M18 6L6 18'],
  code: ['M8.500 7L3.500 12l5 5', 'M15.500 7l5 5-5 5'],
  edit: ['M4 20l1-4.500L16.500 4 20 7.500 8.500 19 4 20z', 'M14 6.500L17.500 10'],
  film: ['M3.500 5h17v14h-17z', 'M10 9v6l5-3-5-3z'],
  flow: ['M4 4.500h5v5H4z', 'M15 4.500h5v5h-5z', 'M15 14.500h5v5h-5z', 'M9 7h6', 'M12 7v10h3'],
  gear: ['M12 15.200a3.200 3.200 0 1 0 0-6.400 3.200 3.200 0 0 0 0 6.400z', 'M12 3v2.600M12 18.400V21M3 12h2.600M18.400 12H21M5.640 5.640l1.840 1.840M16.520 16.520l1.840 1.840M5.640 18.360l1.840-1.840M16.520 7.480l1.840-1.840'],
  link: ['M10 14a4.200 4.200 0 0 0 6 0l3-3a4.240 4.240 0 0 0-6-6l-1 1', 'M14 10a4.200 4.200 0 0 0-6 0l-3 3a4.240 4.240 0 0 0 6 6l1-1'],
  pauseLine: ['M9 6v12', 'M15 6v12'],
  playLine: ['M8 5.500v13l10.500-6.500z'],
  retry: ['M4 12a8 8 0 1 0 2.600-5.900', 'M4 4v4.500h4.500'],
  search: ['M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14z', 'M20.500 20.500l-4.400-4.400'],
  shield: ['M12 3.500l7.500 2.800v5.200c0 4.500-3 7.700-7.500 9-4.500-1.300-7.500-4.500-7.500-9V6.300z'],
  stop: ['M7 7h10v10H7z'],
  trash: ['M4.500 7h15', 'M9 7V4.500h6V7', 'M6.500 7l1 13h9l1-13'],
  upload: ['M12 16V4.500', 'M7 9.500l5-5 5 5', 'M4.500 15.500V19a1 1 0 0 0 1 1h13a1 1 0 0 0 1-1v-3.500'],
} satisfies Record<string, string[]>;

// Filled ones: the player's.
const shapes = {
  captions: 'M5 4.500h14A2.500 2.500 0 0 1 21.500 7v10a2.500 2.500 0 0 1-2.500 2.500H5A2.500 2.500 0 0 1 2.500 17V7A2.500 2.500 0 0 1 5 4.500zm0 1.800a.7.7 0 0 0-.7.7v10c0 .4.300.7.7.7h14a.7.7 0 0 0 .7-.7V7a.7.7 0 0 0-.7-.7zM6.500 11h4v1.800h-4zm5.500 0h5.500v1.800H12zm-5.500 3.200h6.500V16H6.500zm8 0h3V16h-3z',
  fullscreen: 'M4 4h6v2H6v4H4zm10 0h6v6h-2V6h-4zM4 14h2v4h4v2H4zm14 0h2v6h-6v-2h4z',
  fullscreenExit: 'M8 4h2v6H4V8h4zm6 0h2v4h4v2h-6zM4 14h6v6H8v-4H4zm10 0h6v2h-4v4h-2z',
  pause: 'M7 5h3.600v14H7zm6.400 0H17v14h-3.600z',
  pip: 'M4.500 5h15A1.500 1.500 0 0 1 21 6.500V11h-1.800V6.800H4.800v10.400H10V19H4.500A1.500 1.500 0 0 1 3 17.500v-11A1.500 1.500 0 0 1 4.500 5zM13 13h7a1 1 0 0 1 1 1v4a1 1 0 0 1-1 1h-7a1 1 0 0 1-1-1v-4a1 1 0 0 1 1-1z',
  play: 'M7.500 4.800v14.400c0 .8.900 1.300 1.600.8l11-7.200a1 1 0 0 0 0-1.600l-11-7.200a1 1 0 0 0-1.600.8z',
  tune: 'M4 7h8.200a2.800 2.800 0 0 1 5.500 0H20v1.800h-2.300a2.800 2.800 0 0 1-5.500 0H4zm10.900-.2a1.100 1.100 0 1 0 0 2.200 1.100 1.100 0 0 0 0-2.200zM4 15.200h2.300a2.800 2.800 0 0 1 5.500 0H20V17h-8.200a2.800 2.800 0 0 1-5.500 0H4zm5-.2a1.100 1.100 0 1 0 0 2.200 1.100 1.100 0 0 0 0-2.200z',
  volume: 'M4 9.200h3.600L12.500 5v14l-4.900-4.200H4zm10.800-.9c1.500.8 2.500 2.100 2.500 3.700s-1 2.900-2.500 3.700zm0-3.600c3.200 1 5.400 3.900 5.400 7.300s-2.200 6.300-5.400 7.300v-1.900c2.200-.9 3.600-3 3.600-5.400s-1.400-4.500-3.600-5.400z',
  volumeOff: 'M4 9.200h3.600L12.500 5v14l-4.900-4.200H4zm11.200.600l1.300-1.300 2 2 2-2 1.300 1.300-2 2.200 2 2.200-1.300 1.300-2-2-2 2-1.300-1.300 2-2.200z',
} satisfies Record<string, string>;

export type IconName = keyof typeof lines | keyof typeof shapes;

export function icon(name: IconName): SVGSVGElement {
  const filled = name in shapes;
  const paths = filled ? [shapes[name as keyof typeof shapes]] : lines[name as keyof typeof lines];
  const drawing = filled ? {fill: 'currentColor'} : {fill: 'none', stroke: 'currentColor', 'stroke-width': 1.8, 'stroke-linecap': 'round', 'stroke-linejoin': 'round'};
  return svg('svg', {viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true', ...drawing}, paths.map((d) => svg('path', {d})));
}
