"""Texts, words and questions on which sayings are tried: here, and in the tests of what the pages say."""

# Texts of different kinds and lengths. None of them stands on a page as its example.
TEXTS = {
    "a short start": "My favourite colour is",
    "a fact": "The largest planet of the solar system is",
    "a question": "Why do cats purr? Nobody knows exactly, but most people think that",
    "a story": "Once upon a time there lived an old fisherman who had never learned to swim. One morning, when the "
    "sea was as flat as a table, he rowed out further than ever before, and then",
    "a recipe": "Peel the potatoes and cut them into thin slices. Heat the butter in a large pan, add the onions "
    "and stir until they are golden. Then add the",
    "a letter": "Dear Ms Miller,\n\nthank you for your letter of 3 May. I am sorry to tell you that we cannot",
    "a dialogue": '"Where have you been?" she asked.\n"At the market," he said. "They had no',
    "a list": "Shopping list:\n- milk\n- bread\n- butter\n-",
    "code": "def mean(numbers):\n    total = 0\n    for number in numbers:\n        total +=",
    "numbers": "1, 2, 4, 8, 16, 32,",
    "French": "Le chat noir dort sur le canapé pendant que les enfants jouent dans le",
    "science": "Photosynthesis is the process by which green plants use sunlight to make sugar out of carbon dioxide "
    "and water. It takes place in the chloroplasts, which contain a green pigment called",
    "the same word": "dog dog dog dog dog dog dog dog dog dog",
    "a chat": "<|im_start|>user\nWhat is the moon made of?<|im_end|>\n<|im_start|>assistant\n",
    "a long story": "The lighthouse stood on a rock at the end of the bay, and every evening the keeper climbed "
    "its stairs to light the lamp. He had done so for thirty years, and his father before him. In winter the waves "
    "rose so high that the windows of the kitchen were white with salt, and in summer the tourists came with their "
    "cameras and asked him whether he was not lonely. He always said no. He had his books, his radio and a grey "
    "cat that had come one day with the mail boat and had refused to leave again. "
    "One night in November the radio fell silent in the middle of a song. The keeper turned the knob, knocked at "
    "the case, and put on his coat to look after the aerial. Outside the air was strangely still. There was no "
    "wind, no sound of the sea, and where the lights of the village should have been there was nothing at all. "
    "He stood at the rail for a long time. Then, far below, somebody knocked at the door of the",
}

# Universal Declaration of Human Rights: the first sentence of article 1, and article 3.
ARTICLES = {
    "English": (
        "All human beings are born free and equal in dignity and rights.",
        "Everyone has the right to life, liberty and security of person.",
    ),
    "French": (
        "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
        "Tout individu a droit à la vie, à la liberté et à la sûreté de sa personne.",
    ),
    "German": (
        "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
        "Jeder hat das Recht auf Leben, Freiheit und Sicherheit der Person.",
    ),
    "Spanish": (
        "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
        "Todo individuo tiene derecho a la vida, a la libertad y a la seguridad de su persona.",
    ),
    "Turkish": (
        "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar.",
        "Yaşamak, hürriyet ve kişi emniyeti her ferdin hakkıdır.",
    ),
    "Russian": (
        "Все люди рождаются свободными и равными в своем достоинстве и правах.",
        "Каждый человек имеет право на жизнь, на свободу и на личную неприкосновенность.",
    ),
    "Arabic": (
        "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق.",
        "لكل فرد الحق في الحياة والحرية وسلامة شخصه.",
    ),
    "Hindi": (
        "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
        "प्रत्येक व्यक्ति को जीवन, स्वाधीनता और वैयक्तिक सुरक्षा का अधिकार है।",
    ),
    "Chinese": ("人人生而自由，在尊严和权利上一律平等。", "人人有权享有生命、自由和人身安全。"),
    "Korean": (
        "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
        "모든 사람은 생명과 신체의 자유와 안전에 대한 권리를 가진다.",
    ),
    "Amharic": ("የሰው፡ልጅ፡ሁሉ፡ሲወለድ፡ነጻና፡በክብርና፡በመብትም፡እኩልነት፡ያለው፡ነው።",),
}

# Words that belong together; each is one token in this model.
RELATED = (
    "king queen, dog puppy, hot cold, Paris France, doctor nurse, car truck, bread butter, red blue, "
    "teacher student, sun moon, apple banana, cat mouse, summer winter, father mother, salt pepper, piano guitar, "
    "table chair, river lake, shirt trousers, sword shield, knife fork, boy girl, bird nest, ship sea, book page, "
    "horse saddle, tea coffee, wolf fox, iron steel, rain snow, milk cheese, pen pencil, sugar honey, window door, "
    "gold silver, north south, army soldier, farmer crop, hand finger, eye ear, judge court, violin orchestra, "
    "tree leaf, church priest, bus train, lion tiger, shoe sock, oil gas, lawyer client, flower garden"
)

SINGULAR = [
    "cat",
    "dog",
    "car",
    "king",
    "chair",
    "child",
    "house",
    "teacher",
    "bird",
    "doctor",
    "book",
    "tree",
    "boy",
    "horse",
    "ship",
]

QUESTIONS = (
    "Name three animals.",
    "What is the capital of France?",
    "What is 2 + 2?",
    "Write one sentence about a dog.",
    "Translate 'good morning' into French.",
    "Say hello.",
    "Give me a word that rhymes with cat.",
    "What colour is the sky?",
    "Why is the sea salty?",
    "Who wrote Hamlet?",
    "How many legs does a spider have?",
    "What is rain?",
    "What do bees make?",
    "Name a planet.",
    "Tell me a joke.",
)

MORE_CAPITALS = {
    f"The capital of {country} is": f" {city}"
    for country, city in (
        ("Australia", "Canberra"),
        ("Peru", "Lima"),
        ("Turkey", "Ankara"),
        ("Canada", "Ottawa"),
        ("Brazil", "Brasília"),
        ("India", "New Delhi"),
        ("Kenya", "Nairobi"),
        ("Norway", "Oslo"),
        ("Sweden", "Stockholm"),
        ("Chile", "Santiago"),
        ("Cuba", "Havana"),
        ("Portugal", "Lisbon"),
    )
}
HARDER_SUMS = {
    f"{a} + {b} = ": str(a + b)
    for a, b in (
        (17, 25),
        (38, 14),
        (46, 29),
        (11, 12),
        (57, 33),
        (23, 68),
        (19, 19),
        (34, 47),
        (62, 25),
        (75, 16),
    )
}
