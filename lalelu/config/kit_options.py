"""What every option of a kit means, in an editor's words to players. Pure data."""

from types import MappingProxyType
from typing import Final

# by section and option; without a section, of every section that has the option and no line of its own
KIT_OPTIONS: Final = MappingProxyType(
    {
        "name": "the kit's name, of up to 64 characters; all kits of a configuration have different ones",
        "description": "what the kit is, for lists",
        "strike": "what counts as a stroke",
        "keypoints": "keypoints of the kit's own: weighted means of others, by name; {right_wrist: 2, right_elbow: -1} "
        "is a stick's tip",
        "pads": "the pads by their names, 1..64",
        "gestures": "the gestures by their names, up to 32: what is played, set or told without striking",
        "KitConfig.channel": "MIDI channel of pads that name none, 1..16; General MIDI has percussion on 10",
        "KitConfig.note_ms": "milliseconds from note-on to note-off of pads that name none, 5..10000",
        "channel": "MIDI channel, 1..16; the kit's where none is named",
        "players": "of several players only these, counted from 0; all where none is named",
        # the detector
        "detector": "what finds strokes: model (the rules of strike:), or learned from your own recordings (see "
        "learned:)",
        "learned": "a detector that `lalelu tune --learn` has made; only with detector: learned",
        "LearnedSection.file": "the detector's file (.onnx), from the kit's folder",
        "LearnedSection.sha256": "the file's SHA-256 sum, 64 hexadecimal digits",
        "LearnedSection.trees": "what the file holds; filled in when the kit is read",
        # strike
        "StrikeSection.min_speed": "downward speed, shoulder widths a second; slower movements never sound",
        "StrikeSection.min_height": "fall of the hand, shoulder widths; shorter ones never sound",
        "StrikeSection.mask_ms": "after a hit the same limb is deaf so long, milliseconds, 10..500",
        "StrikeSection.full_speed": "the peak speed that plays velocity 127, shoulder widths a second; auto learns it "
        "slowly from your strokes",
        "StrikeSection.min_score": "keypoints that the network is less sure of are not known, 0..1",
        # pads
        "PadSection.zone": "where the pad lies: box, ellipse, half_plane or sector; without it only gestures play it",
        "PadSection.note": "a number 0..127, a pitch (C4 is 60), a General MIDI percussion name, or a list of up to 8",
        "PadSection.limbs": "which keypoints may strike it; both wrists where none is named",
        "PadSection.threshold": "the least peak speed that sounds here, shoulder widths a second; every stroke where "
        "none is named",
        "PadSection.sensitivity": "multiplies the speed before the curve, 0.1..4",
        "PadSection.scan_ms": "the peak speed is the fastest mean over this time, milliseconds, 0..100",
        "PadSection.mask_ms": "after a hit here the same limb cannot sound this pad so long, milliseconds, 10..500; "
        "strike.mask_ms where none is named",
        "PadSection.retrigger": "a stroke of the same limb within 150 ms of its last one here needs this share of that "
        "one's speed, 0..1; 0 = none",
        "PadSection.crosstalk": "a stroke within 30 ms of the other hand's last hit needs this share of that one's "
        "speed, 0..1; 0 = none",
        "PadSection.curve": "from speed to velocity: linear, log (soft strokes louder), exp (softer), fixed, or points "
        "[share of full speed, velocity] joined by lines",
        "PadSection.velocity": "of every hit, 1..127; only with curve: fixed",
        "PadSection.choke": "the name of a group: a hit here ends what sounds of the group's other pads",
        "PadSection.note_ms": "milliseconds from note-on to note-off, 5..10000, or hold: until the gesture that plays "
        "it ends it; the kit's where none is named",
        # zones: shoulder widths from the point between the shoulders, x to the player's right, y up
        "frame": "body: around the player, in shoulder widths, y up; image: at a place in the picture, in picture "
        "heights, y down",
        "box": "[left, bottom, right, top]; in the picture [left, top, right, bottom]",
        "ellipse": "[centre x, centre y, radius x, radius y]",
        "half_plane": "[x, y, degrees]: all that lies on one side of a line through that point; 90 = above it, 0 = to "
        "its right",
        "sector": "[centre x, centre y, inner radius, outer radius, first angle, last angle], degrees to the left "
        "from the right",
        # measures
        "x": "how far this limb is to your right, shoulder widths from the middle",
        "y": "how high this limb is above the shoulders, shoulder widths",
        "angle": "the angle at the second of three limbs, degrees 0..180; 180 = stretched out",
        "distance": "how far two limbs are from each other, shoulder widths",
        # targets
        "controller": "a MIDI controller, 0..119: 1 modulation, 4 foot, 7 volume, 11 expression",
        "bend": "the pitch wheel, so many semitones to each side, 1..24",
        "osc": "an OSC address such as /light/1, which gets 0..1; midi.outputs must have an osc: address",
        # gestures
        "gesture": "kick, hihat, chord, zone_enter, control or hold",
        "limb": "a keypoint, as left_wrist or right_ankle, a computed one, as mid_hip or head, or one of the kit's own",
        "by": "what is measured: {x: LIMB}, {y: LIMB}, {angle: [LIMB, LIMB, LIMB]} or {distance: [LIMB, LIMB]}",
        "between": "the measure's first and last value",
        "zone": "a place around the player or in the picture: box, ellipse, half_plane or sector",
        "Kick.pad": "what a stomp sounds",
        "Kick.min_speed": "downward, on landing, shoulder widths a second; slower stomps do not sound",
        "Kick.min_height": "fall of the foot, shoulder widths; smaller stomps do not sound",
        "Kick.mask_ms": "after a stomp it is deaf so long, milliseconds, 10..500",
        "HiHat.pad": "the pad that the hands strike, with the foot down: closed",
        "HiHat.open_pad": "what strokes on it sound with the foot up: open; a pad without a zone",
        "HiHat.chick_pad": "what sounds when the foot comes down",
        "HiHat.height": "of the foot when the hi-hat is wide open, shoulder widths",
        "HiHat.open_at": "strokes sound open above this share of the height, 0..1",
        "HiHat.closed_at": "and closed again below this share, 0..1; less than open_at",
        "HiHat.to": "what follows the pedal: a controller, the pitch wheel or an OSC value; null = nothing",
        "HiHat.invert": "whether 127 is closed, as most drum modules have it",
        "Chord.between": "the measure at the first pad's outer edge and at the last one's; beyond both none is chosen",
        "Chord.pads": "the pads that share the range, in its order",
        "Chord.struck": "strokes on this pad sound the chosen one; without it a pad sounds as long as it is chosen",
        "Chord.hysteresis": "of one pad's share of the range: so far beyond its edge it stays chosen, 0..0.5",
        "Chord.velocity": "of pads that sound as long as they are chosen, 1..127",
        "ZoneEnter.pads": "what entering sounds; of several, by: and between: choose one",
        "ZoneEnter.by": "what chooses one of several pads, measured when the zone is entered",
        "ZoneEnter.between": "the measure at the first pad's outer edge and at the last one's; beyond, the nearest",
        "ZoneEnter.margin": "so far out the limb must go before it can enter again, shoulder widths, 0..1",
        "ZoneEnter.min_speed": "of entering, shoulder widths a second; slower ones do not sound",
        "ZoneEnter.mask_ms": "after a sound it is deaf so long, milliseconds, 10..2000",
        "ControlGesture.between": "the measure at 0 and at 127; beyond, it stays there",
        "ControlGesture.to": "what follows: {controller: N}, {bend: SEMITONES} or {osc: ADDRESS}",
        "ControlGesture.min_cutoff_hz": "of the filter at rest, hertz: less is calmer",
        "ControlGesture.beta": "more follows fast movements closer, 0..50",
        "Hold.where": "all that must hold at once: a limb in a zone, or a measure between two values",
        "Hold.hold_ms": "how long the pose is held, milliseconds, 100..10000",
        "Hold.command": "standby (silence, and again to go on), tap_tempo, next_kit, or take (again: its end)",
        "Hold.kit": "the name of the kit to switch to, instead of a command",
    }
)
