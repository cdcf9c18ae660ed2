"""Concepts that the model is not trained on: near-duplicates of others, and things that few would ask a brand model for."""

LEFT_OUT = frozenset(
    """
1st-place-medal 2nd-place-medal 3rd-place-medal admission-tickets aerial-tramway airplane-arrival airplane-departure alembic
amphora anger-symbol articulated-lorry ballot-box-with-ballot bell-with-slash bento-box black-heart black-nib blue-book
bookmark-tabs bow-and-arrow bridge-at-night bus-stop camera-with-flash card-file-box card-index card-index-dividers
carp-streamer chart-increasing-with-yen cigarette cityscape-at-dusk clamp closed-mailbox-with-lowered-flag
closed-mailbox-with-raised-flag closed-umbrella cloud-with-lightning cloud-with-lightning-and-rain clutch-bag coffin
construction control-knobs convenience-store cooked-rice cricket-game curry-rice custard cyclone dagger dango derelict-house
dizzy dvd envelope-with-arrow euro-banknote ewe eye-in-speech-bubble fax-machine ferry field-hockey file-cabinet
first-quarter-moon first-quarter-moon-face fish-cake-with-swirl flower-playing-cards fog foggy fork-and-knife-with-plate
fried-shrimp front-facing-baby-chick full-moon-face funeral-urn globe-showing-americas globe-showing-asia-australia
goal-net green-book growing-heart hammer-and-pick hammer-and-wrench hear-no-evil-monkey heart-decoration heart-with-arrow
high-speed-train hole horizontal-traffic-light hotel hourglass-not-done houses ice-hockey inbox-tray incoming-envelope
japanese-dolls japanese-post-office joker kaaba kick-scooter kimono kiss-mark label last-quarter-moon
last-quarter-moon-face left-speech-bubble level-slider light-rail linked-paperclips locked-with-key locked-with-pen
loudspeaker love-hotel magnifying-glass-tilted-right mahjong-red-dragon mans-shoe map-of-japan martial-arts-uniform metro
military-medal milky-way minibus moai mobile-phone-with-arrow money-with-wings monorail moon-viewing-ceremony mosque
mountain-cableway mountain-railway musical-notes musical-score muted-speaker new-moon new-moon-face night-with-stars
notebook-with-decorative-cover nut-and-bolt oden oil-drum oncoming-automobile oncoming-bus oncoming-police-car oncoming-taxi
open-file-folder open-mailbox-with-lowered-flag orange-book outbox-tray page-with-curl pager passenger-ship pig-nose
pine-decoration postal-horn pound-banknote prayer-beads radio-car-track red-heart revolving-hearts
rice-ball rice-cracker right-anger-bubble roasted-sweet-potato rolled-up-newspaper rosette round-pushpin sake seat
see-no-evil-monkey shaved-ice sheaf-of-rice shinto-shrine snowman-without-snow spaghetti sparkler speak-no-evil-monkey
speaker-low-volume speaker-medium-volume sparkling-heart spiral-calendar sport-utility-vehicle sports-medal station
stuffed-flatbread sun-behind-large-cloud sun-behind-rain-cloud sun-behind-small-cloud sunrise-over-mountains
suspension-railway synagogue tanabata-tree tear-off-calendar timer-clock trackball train tram-car trolleybus two-hearts
two-hump-camel umbrella-on-ground videocassette waning-crescent-moon waning-gibbous-moon water-buffalo waxing-crescent-moon
waxing-gibbous-moon wilted-flower wind-chime wind-face womans-boot womans-sandal yen-banknote zzz slot-machine
purse tornado shallow-pan-of-food statue-of-liberty tokyo-tower
heart-with-ribbon beating-heart purple-heart green-heart yellow-heart ram globe-with-meridians
chart-decreasing unlocked dollar-banknote optical-disk computer-disk satellite-antenna
small-airplane memo triangular-ruler ledger notebook white-flower cherry-blossom delivery-truck monkey rat
paw-prints barber-pole poodle flag-in-hole
""".split()
)
