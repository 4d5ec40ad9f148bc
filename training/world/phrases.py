"""The words of captions: for everything a scene may show, the phrases that say it."""

from __future__ import annotations

STYLE_WORDS: dict[str, tuple[str, ...]] = {  # {} is the object
    "3d": ("3d style {}", "3d style {}", "3d {}", "{} in 3d style", "3d rendered {}"),
    "flat": ("flat {}", "flat {}", "flat style {}", "{} in flat style", "flat design {}"),
    "line": ("line art {}", "line art {}", "line style {}", "{} in line art style", "black and white line art {}"),
    "cartoon": ("cartoon {}", "cartoon {}", "cartoon style {}", "{} in cartoon style"),
    "noto-v1": ("{}",),
    "twemoji": ("{}",),
}
BACKGROUND_WORDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # (after the thing, standing alone)
    "sunset sky": (
        ("in front of a sunset sky", "over a sunset sky", "at sunset", "on a sunset sky background"),
        ("sunset sky", "sunset sky background"),
    ),
    "night sky": (
        (
            "in the night sky",
            "over a night sky",
            "under a starry night sky",
            "on a night sky background",
            "at night with stars",
        ),
        ("night sky", "starry night sky", "night sky background"),
    ),
    "grass": (
        ("on the grass", "over a meadow", "on a grass meadow", "on a grass field", "in front of a meadow"),
        ("grass", "meadow", "grass meadow background"),
    ),
    "water": (
        ("over the water", "on the water", "over water", "on the sea", "in front of the sea"),
        ("water", "sea", "water background"),
    ),
    "snow": (
        ("in the snow", "on the snow", "in a snowy landscape", "in winter", "while it is snowing"),
        ("snow", "snowy landscape", "winter"),
    ),
    "desert": (
        ("in the desert", "through the desert", "on the sand dunes", "in a desert"),
        ("desert", "sand dunes", "desert background"),
    ),
    "beach": (
        ("on the beach", "at the beach", "on a sandy beach", "by the sea shore"),
        ("beach", "sandy beach", "beach background"),
    ),
    "forest": (
        ("in the forest", "through the forest", "in the woods", "among trees"),
        ("forest", "woods", "forest background"),
    ),
    "city": (
        ("in the city", "through the city", "on a city street", "in front of skyscrapers"),
        ("city", "city street", "skyline"),
    ),
    "space": (
        ("in space", "in outer space", "among the stars of space", "in the galaxy"),
        ("outer space", "space", "galaxy"),
    ),
    "mountains": (
        ("in the mountains", "in front of mountains", "over the mountains", "in the alps"),
        ("mountains", "mountain landscape"),
    ),
    "room": (
        ("in a room", "in the living room", "at home", "indoors", "inside a house"),
        ("room", "living room", "indoors"),
    ),
    "checkerboard": (
        ("on a checkerboard", "over a checkerboard", "on a checkerboard background", "on a checkered background"),
        ("checkerboard", "checkerboard background", "checkered background"),
    ),
}
PLAIN_WORDS = (
    (
        "on a {} background",
        "on a {} background",
        "over a {} background",
        "against a {} background",
        "in front of a {} background",
        "on {}",
    ),
    ("{} background", "plain {} background"),
)
MOTION_WORDS: dict[str, tuple[str, ...]] = {
    "still": ("standing still", "not moving", "staying still", "resting", "holding still"),
    "left": (
        "moving left",
        "moving to the left",
        "going left",
        "flying left",
        "drifting left",
        "gliding to the left",
        "driving to the left",
        "running left",
        "walking to the left",
        "swimming left",
        "driving",
        "running",
        "walking",
        "sailing",
    ),
    "right": (
        "moving right",
        "moving to the right",
        "going right",
        "flying right",
        "drifting right",
        "gliding to the right",
        "driving to the right",
        "running right",
        "walking to the right",
        "swimming right",
        "driving",
        "running",
        "walking",
        "sailing",
    ),
    "up": (
        "flying up",
        "taking off",
        "launching",
        "climbing up",
        "flying up",
        "moving up",
        "going up",
        "rising",
        "floating up",
        "moving upwards",
    ),
    "down": (
        "falling",
        "falling down",
        "moving down",
        "going down",
        "flying down",
        "sinking",
        "moving downwards",
    ),
    "bounce": (
        "bouncing",
        "bouncing",
        "bouncing up and down",
        "hopping",
        "hopping up and down",
        "jumping up and down",
        "jumping",
        "playing",
    ),
    "spin": ("spinning", "spinning", "spinning around", "rotating", "turning around", "twirling"),
    "grow": ("growing", "growing", "getting bigger", "growing larger", "becoming bigger"),
    "shrink": ("shrinking", "shrinking", "getting smaller", "becoming smaller"),
    "swing": (
        "swinging",
        "swinging",
        "swinging back and forth",
        "swaying",
        "swaying from side to side",
        "dancing",
        "swinging like a pendulum",
    ),
    "circle": (
        "circling",
        "circling",
        "moving in a circle",
        "moving in circles",
        "going around in circles",
        "flying in circles",
    ),
    "shake": ("shaking", "shaking", "trembling", "vibrating", "jittering", "shivering"),
}
SPEED_WORDS: dict[str, tuple[str, ...]] = {
    "slow": ("slowly {}", "slowly {}", "{} slowly", "gently {}", "{} at a slow pace"),
    "fast": ("quickly {}", "rapidly {}", "{} fast", "{} quickly", "{} at high speed"),
}
LOCAL_WORDS: dict[str, tuple[str, ...]] = {
    "flame": ("next to a flickering flame", "beside a flickering flame", "with a burning flame that flickers"),
    "flag": ("next to a waving flag", "beside a waving flag", "with a flag waving in the wind"),
    "water": ("over rippling water", "on rippling water", "in front of the rippling sea"),
}
CAMERA_WORDS: dict[str, tuple[str, ...]] = {
    "pan left": ("the camera pans left", "camera panning to the left", "pan left", "the camera moves left"),
    "pan right": ("the camera pans right", "camera panning to the right", "pan right", "the camera moves right"),
    "tilt up": ("the camera tilts up", "camera moving up", "tilt up", "the camera moves up"),
    "tilt down": ("the camera tilts down", "camera moving down", "tilt down", "the camera moves down"),
    "zoom in": ("the camera zooms in", "zooming in", "zoom in", "the camera moves closer", "close up"),
    "zoom out": ("the camera zooms out", "zooming out", "zoom out", "the camera moves away", "pulling back"),
}
SIZE_WORDS: dict[str, tuple[str, ...]] = {
    "tiny": ("tiny", "very small", "little"),
    "small": ("small", "small", "little"),
    "big": ("big", "large"),
    "huge": ("huge", "giant", "very big", "enormous"),
}
PLACE_WORDS: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "on the left side", "at the left"),
    "right": ("on the right", "on the right side", "at the right"),
    "top": ("at the top", "in the upper part", "high up"),
    "bottom": ("at the bottom", "in the lower part", "down low"),
    "top left": ("in the top left corner", "in the upper left corner", "at the top left"),
    "top right": ("in the top right corner", "in the upper right corner", "at the top right"),
    "bottom left": ("in the bottom left corner", "in the lower left corner", "at the bottom left"),
    "bottom right": ("in the bottom right corner", "in the lower right corner", "at the bottom right"),
    "middle": ("in the middle", "in the center", "in the centre"),
}
COLOUR_WORDS: dict[str, tuple[str, ...]] = {  # a colour without a row here is called by its name
    "gray": ("gray", "grey", "silver"),
    "yellow": ("yellow", "golden"),
    "purple": ("purple", "violet"),
    "teal": ("teal", "turquoise"),
    "blue": ("blue", "blue", "dark blue"),
    "red": ("red", "red", "bright red"),
}
COUNT_WORDS: dict[int, tuple[str, ...]] = {2: ("two", "two", "a pair of", "2"), 3: ("three", "three", "3")}
NAMELESS = "zzz"  # no word of the vocabulary: the text encoder sees an unknown word, and only the picture says what it is
ONE = (  # a scene with one thing
    "{thing} {motion} {place}",
    "{thing} {motion} {place}",
    "{thing} {motion} {place}",
    "{place_alone}, {thing} {motion}",
    "{thing} {place}, {motion}",
    "{thing} {be} {motion} {place}",
    "a video of {thing} {motion} {place}",
    "a clip of {thing} {motion} {place}",
    "{bare}, {motion}, {place_alone}",
    "{bare} {motion}, {place_alone}",
)
PAIRS = ("{} and {}", "{} next to {}", "{} beside {}", "{} and {} side by side", "{} on the left and {} on the right")
PLURAL = frozenset({"cherries", "grapes", "fries", "scissors"})
