"""What the synthetic voices say: short everyday sentences of our own, by language and split.

The sentences of a split are its own, so that no text is heard in two; some languages are heard in
the test split only. Keys are the synthesiser's names for the languages.
"""

from collections.abc import Mapping

Sentences = Mapping[str, tuple[str, ...]]

TRAIN: Sentences = {
    "en-us": (
        "The kettle is on and the bread is still warm.",
        "We walked along the river until it grew dark.",
        "Please leave the keys with the woman next door.",
        "Seven boats came back before the storm.",
        "Nobody knows where the old map was kept.",
    ),
    "en-gb-scotland": (
        "My brother repairs clocks in a small shop.",
        "There was snow on the hills this morning.",
        "Take the second road after the bridge.",
        "She asked for two tickets and a glass of water.",
    ),
    "de": (
        "Der Zug fährt heute zehn Minuten später ab.",
        "Im Garten stehen drei alte Apfelbäume.",
        "Kannst du mir bitte das Fenster öffnen?",
        "Gestern haben wir lange am Hafen gesessen.",
        "Das Buch liegt noch auf dem Küchentisch.",
    ),
    "fr": (
        "Le boulanger ouvre sa porte à six heures.",
        "Nous avons perdu le chemin dans la forêt.",
        "Il fait plus froid ici que chez ma tante.",
        "Tu peux garder la monnaie, merci beaucoup.",
        "Les enfants jouent derrière la vieille école.",
    ),
    "es": (
        "La ventana de la cocina da a un patio pequeño.",
        "Mañana vamos al mercado con mis primos.",
        "El perro duerme debajo de la mesa.",
        "No encuentro las llaves de la bicicleta.",
        "Llueve mucho desde el martes por la tarde.",
    ),
    "it": (
        "Il treno per la montagna parte dal binario nove.",
        "Mia nonna prepara il pane ogni domenica.",
        "Abbiamo lasciato la barca vicino al molo.",
        "Puoi chiudere la porta quando esci?",
        "La luna era alta sopra le colline.",
    ),
    "pt-br": (
        "O ônibus passa na frente da biblioteca.",
        "Minha irmã comprou um chapéu amarelo.",
        "A chuva parou depois do almoço.",
        "Eles moram numa casa perto do rio.",
        "Quero um café sem açúcar, por favor.",
    ),
    "nl": (
        "De fiets staat achter het groene huis.",
        "Wij eten vanavond soep met brood.",
        "Het water in de gracht is nog koud.",
        "Kun je morgen om negen uur komen?",
        "Mijn oom verkoopt kaas op de markt.",
    ),
    "sv": (
        "Båten ligger kvar vid bryggan.",
        "Vi träffas utanför stationen klockan åtta.",
        "Det blåser hårt uppe på berget.",
        "Hon glömde sin röda halsduk hos oss.",
        "Kaffet är slut men det finns te.",
    ),
    "pl": (
        "Moja siostra mieszka nad morzem.",
        "Pociąg odjeżdża za pięć minut.",
        "Na stole leży świeży chleb i masło.",
        "Wczoraj padał deszcz przez cały dzień.",
        "Gdzie jest najbliższy przystanek?",
    ),
    "tr": (
        "Bu sabah deniz çok sakindi.",
        "Annem mutfakta çorba pişiriyor.",
        "Otobüs durağı köprünün yanında.",
        "Yarın akşam size geleceğiz.",
        "Kitabı masanın üstüne bıraktım.",
    ),
}

DEV: Sentences = {
    "en-us": (
        "A yellow cat sleeps on the roof all day.",
        "Could you read me the last line again?",
    ),
    "de": (
        "Am Sonntag besuchen wir den Leuchtturm.",
        "Meine Schwester spielt sehr gut Schach.",
    ),
    "fr": (
        "La pluie tombe sur le toit du marché.",
        "Mon frère travaille dans une petite ferme.",
    ),
    "es": (
        "El tren llega siempre con retraso.",
        "Mi abuelo cuenta historias del mar.",
    ),
    "it": (
        "Il gatto guarda la neve dalla finestra.",
        "Vorrei due arance e un chilo di mele.",
    ),
    "nl": (
        "De buren hebben een nieuwe schuur gebouwd.",
        "Onze trein stopt niet in dit dorp.",
    ),
    "pl": (
        "Stary zegar znowu się zatrzymał.",
        "Kupiłem dwa bilety do teatru.",
    ),
}

TEST: Sentences = {
    "en-us": (
        "The teacher drew a circle with white chalk.",
        "Half of the field is under water now.",
        "He carries the letters up to the tower.",
    ),
    "en-gb-scotland": (
        "We heard the ferry long before we saw it.",
        "Her coat was hanging behind the door.",
        "Bring a lamp, the cellar has no window.",
    ),
    "de": (
        "Der Bäcker verkauft abends nur noch Kuchen.",
        "Hinter dem Hügel beginnt ein dichter Wald.",
        "Wir suchen eine Wohnung mit Balkon.",
    ),
    "fr": (
        "Le facteur a laissé un paquet chez le voisin.",
        "On voit toute la vallée depuis le sommet.",
        "Elle apprend le piano depuis deux ans.",
    ),
    "es": (
        "Los barcos vuelven al puerto al anochecer.",
        "Hay que cruzar el puente y girar a la derecha.",
        "Mi vecina pinta cuadros muy grandes.",
    ),
    "it": (
        "Domani il museo resta chiuso tutto il giorno.",
        "Il contadino porta le olive al frantoio.",
        "Non ricordo il nome di quella strada.",
    ),
    "pt-br": (
        "O menino empresta a bola ao amigo.",
        "As janelas ficam abertas durante a noite.",
        "Vamos subir a serra antes do amanhecer.",
    ),
    "tr": (
        "Komşumuz bahçede domates yetiştiriyor.",
        "Kar yağınca yollar kapanıyor.",
        "Çocuklar gölün kenarında oynuyor.",
    ),
    "fi": (
        "Aamulla järvi oli aivan tyyni.",
        "Isä korjaa vanhaa venettä rannalla.",
        "Otamme junan kaupunkiin huomenna.",
    ),
    "id": (
        "Pasar itu ramai setiap hari Sabtu.",
        "Kakak saya bekerja di kantor pos.",
        "Hujan turun sejak tadi malam.",
    ),
    "ro": (
        "Bunica coace plăcinte cu mere.",
        "Trenul ajunge la gară seara târziu.",
        "Copiii aleargă prin iarba înaltă.",
    ),
}

BY_SPLIT: Mapping[str, Sentences] = {"train": TRAIN, "dev": DEV, "test": TEST}
