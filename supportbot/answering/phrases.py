"""What people write to a bot without asking anything, in the languages that it answers in.

All is matched as `routing.folded` leaves it: lower case, without accents and punctuation.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["greeting", "thanks", "goodbye", "about", "filler", "vague", "unclear"]

# Messages that consist of these and of nothing else. `about` asks about the bot itself, `vague`
# asks nothing in any conversation, `unclear` asks nothing where nothing was said before. A phrase
# of two languages counts for the first; "" is for those of none.
PHRASES: dict[str, dict[Kind, str]] = {
    "": {
        "thanks": "ok|okay|okey|k|kk|super|perfect|top|bravo|👍|🙏|❤|😊|🙂|😀|😃|🎉|👌|✅",
        "greeting": "👋|hi|hey|hai|hej",
        "filler": "bot|supportbot|chatbot|oh|ah|hm|hmm|ha|haha|team|support",
        "unclear": "no|test|test test|asdf|bla|bla bla",
    },
    "en": {
        "greeting": "hello|helo|hiya|howdy|yo|greetings|good morning|good afternoon|good evening"
        "|good day|morning|evening|afternoon|how are you|how are you doing|how is it going"
        "|how's it going|hows it going|what's up|whats up|sup|nice to meet you"
        "|is anyone there|is anybody there|anyone there|anybody there|are you there",
        "thanks": "thank you|thank u|thanks|thank|thx|tx|ty|cheers|thank you kindly"
        "|much appreciated"
        "|i appreciate it|appreciated|great|cool|nice|awesome|excellent|good|got it|i see"
        "|understood"
        "|all right|alright|that helped|that helps|it works now|that works|that worked|it worked"
        "|well done|good job|great job|good bot|very helpful|that was helpful|you're the best",
        "goodbye": "bye|bye bye|goodbye|good bye|see you|see ya|see you later|later|good night"
        "|have a nice day|have a good day|have a great day|take care|that's all|thats all"
        "|that is all|that's it|thats it|nothing else|no thanks|no thank you|nothing|never mind"
        "|nevermind|i'm done|im done",
        "filler": "there|all|everyone|everybody|folks|guys|again|please|pls|plz|very much|so much"
        "|a lot|many|very|so|a million|for your help|for the help|for that|for now|for everything"
        "|dear|sir|madam|sir or madam|to you|too|and|then|now|well|sorry|excuse me|friend|mate|yes"
        "|today|guy",
        "about": "who are you|what are you|what can you do|what can you do for me|what do you do"
        "|what is your name|what's your name|whats your name|who am i talking to"
        "|who am i speaking to|who am i chatting with",
        "vague": "help|help me|i need help|i need some help|need help|can you help|can you help me"
        "|could you help me|please help me|can someone help me|i need support|need support"
        "|i need assistance|assist me|help needed|i have a question|i have a quick question"
        "|i've a question|quick question|a question|question|questions|i have questions"
        "|i have a problem|i have an issue|i've got a problem|i've got a question|i have problems"
        "|i have a request|can i ask something|can i ask a question|can i ask you something"
        "|may i ask a question|i want to ask something|i want to ask a question|i need information"
        "|tell me|i don't know|i dont know|i am stuck|i'm stuck"
        "|im stuck"
        "|i'm lost|im lost",
        "unclear": "problem|problems|a problem|issue|issues|error|errors|bug|bugs|trouble|broken"
        "|urgent"
        "|it's urgent|its urgent|it does not work|it doesn't work|it doesnt work|doesn't work"
        "|doesnt work|does not work|it isn't working|it isnt working|it's not working"
        "|its not working|it is not working|not working|isn't working|this doesn't work"
        "|this does not work|that doesn't work|nothing works|it won't work|it wont work"
        "|still broken"
        "|it's broken|its broken|it is broken|something is wrong|something's wrong"
        "|there is a problem"
        "|there's a problem|there is an error|i get an error|i got an error|it fails|it failed"
        "|it crashes|it crashed|i have an error|what|why|how|when|where|who|which|it|this|that"
        "|these"
        "|those|he|she|they|them|me|you|i|we|my|the|a|an|is|are|or|but|if|of|to|in|for|with"
        "|what now"
        "|tell me more|why not|how so|what is it|what is this|what is that|and now|fix it|fix this",
    },
    "de": {
        "greeting": "hallo|hallochen|guten tag|guten morgen|guten abend|gruss gott|gruezi|moin"
        "|moin moin"
        "|servus|tach|wie geht's|wie gehts|wie geht es dir|wie geht es ihnen",
        "thanks": "danke|dankeschon|danke schon|danke sehr|danke dir|danke ihnen|danke euch"
        "|vielen dank"
        "|besten dank|herzlichen dank|tausend dank|alles klar|verstanden|prima|gut|sehr gut|klasse"
        "|hat geklappt|das hat geholfen|passt|perfekt|in ordnung|toll|genau",
        "goodbye": "tschuss|tschuess|tschau|auf wiedersehen|bis bald|bis dann|bis spater"
        "|schonen tag noch"
        "|schonen tag|schonen abend|gute nacht|das war's|das wars|das war alles|nein danke"
        "|nichts weiter|mach's gut",
        "filler": "zusammen|bitte|nochmal|nochmals|fur die hilfe|fur ihre hilfe|fur deine hilfe"
        "|liebes team"
        "|noch|da|und|na|ja|viel|auch|dafur|entschuldigung",
        "about": "wer bist du|wer sind sie|was bist du|was kannst du|was konnen sie|wie heisst du"
        "|was kannst du fur mich tun|was konnen sie fur mich tun|wie heissen sie",
        "vague": "hilfe|ich brauche hilfe|brauche hilfe|hilf mir|helfen sie mir"
        "|kannst du mir helfen"
        "|konnen sie mir helfen|konnt ihr mir helfen|ich habe eine frage|ich hab eine frage"
        "|ich hatte eine frage|habe eine frage|eine frage|frage|fragen|kurze frage|ich habe fragen"
        "|ich habe ein problem|ich hab ein problem|habe ein problem"
        "|darf ich etwas fragen|kann ich etwas fragen|ich weiss nicht",
        "unclear": "problem|probleme|ein problem|fehler|ein fehler|storung|dringend|es geht nicht"
        "|geht nicht"
        "|es funktioniert nicht|funktioniert nicht|das funktioniert nicht|das geht nicht"
        "|nichts geht"
        "|es klappt nicht|klappt nicht|kaputt|es ist kaputt|warum|wieso|wie|was|wann|wo|wer|welche"
        "|es|das|dies|er|sie|ich|du|wir|ihr|nein|der|die|und jetzt|was nun|wie bitte",
    },
    "fr": {
        "greeting": "bonjour|bonsoir|salut|coucou|comment ca va|ca va|comment allez vous",
        "thanks": "merci|merci beaucoup|merci bien|mille mercis|grand merci|d'accord|parfait"
        "|entendu"
        "|tres bien|bien recu|genial|c'est bon|ca marche|compris|je vous remercie",
        "goodbye": "au revoir|a bientot|a plus|a plus tard|bonne journee|bonne soiree|bonne nuit"
        "|adieu"
        "|non merci|c'est tout|rien d'autre|ce sera tout",
        "filler": "a tous|a toutes|tous|toutes|monsieur|madame|s'il vous plait|s'il te plait|svp"
        "|stp|et"
        "|pour votre aide|pour ton aide|l'equipe|encore|oui|pour tout",
        "about": "qui es tu|qui etes vous|que sais tu faire|que peux tu faire|que pouvez vous faire"
        "|comment tu t'appelles|comment vous appelez vous",
        "vague": "aide|aidez moi|aide moi|j'ai besoin d'aide|besoin d'aide|a l'aide|au secours"
        "|pouvez vous m'aider|peux tu m'aider|j'ai une question|une question|question"
        "|j'ai un probleme|j'ai un souci|j'aurais une question|petite question",
        "unclear": "probleme|un probleme|problemes|erreur|une erreur|bogue|ca ne marche pas"
        "|ca marche pas"
        "|ne marche pas|ca ne fonctionne pas|ne fonctionne pas|rien ne marche|c'est casse|en panne"
        "|pourquoi|comment|quoi|quand|ou|qui|quel|quelle|ca|cela|ceci|il|elle|je|tu|nous|vous|non"
        "|le"
        "|la|les|un|une|et alors",
    },
    "es": {
        "greeting": "hola|buenas|buenos dias|buenas tardes|buenas noches|buen dia|que tal"
        "|como estas"
        "|como esta",
        "thanks": "gracias|muchas gracias|mil gracias|muchisimas gracias|vale|de acuerdo|perfecto"
        "|entendido|genial|muy bien|estupendo|claro|listo",
        "goodbye": "adios|hasta luego|hasta pronto|nos vemos|chao|que tengas buen dia"
        "|que tenga buen dia|no gracias|eso es todo|nada mas",
        "filler": "a todos|todos|por favor|porfa|senor|senora|y|por tu ayuda|por su ayuda"
        "|por la ayuda"
        "|equipo|si|por todo",
        "about": "quien eres|quien es usted|que puedes hacer|que sabes hacer|como te llamas",
        "vague": "ayuda|ayudame|ayudeme|necesito ayuda|me puedes ayudar|me puede ayudar"
        "|puedes ayudarme|puede ayudarme|tengo una pregunta|tengo una duda|una pregunta|pregunta"
        "|tengo un problema|una duda|una consulta|tengo una consulta",
        "unclear": "problema|un problema|problemas|fallo|no funciona|no me funciona|no va|no sirve"
        "|nada funciona|esta roto|un error|por que|como|que|cuando|donde|quien|cual|eso|esto|ese"
        "|ello"
        "|yo|tu|el|ella|nosotros|los|y ahora",
    },
    "it": {
        "greeting": "ciao|salve|buongiorno|buonasera|buon giorno|buona sera|buon pomeriggio"
        "|come stai"
        "|come va|come sta",
        "thanks": "grazie|grazie mille|molte grazie|tante grazie|va bene|perfetto|capito|ottimo"
        "|d'accordo|benissimo|ti ringrazio|la ringrazio",
        "goodbye": "arrivederci|a presto|buona giornata|buona serata|buonanotte|buona notte|addio"
        "|no grazie|e tutto|questo e tutto|nient'altro",
        "filler": "a tutti|tutti|per favore|per piacere|signore|signora|e|per l'aiuto"
        "|per il tuo aiuto"
        "|per il suo aiuto|per tutto|ancora|si",
        "about": "chi sei|cosa puoi fare|cosa sai fare|come ti chiami",
        "vague": "aiuto|aiutami|mi aiuti|ho bisogno di aiuto|mi serve aiuto|puoi aiutarmi"
        "|puo aiutarmi|ho una domanda|una domanda|domanda|ho un problema|avrei una domanda",
        "unclear": "non funziona|non va|errore|un errore|non funziona niente|e rotto|perche|come"
        "|cosa"
        "|che cosa|quando|dove|chi|quale|questo|quello|cio|io|lui|lei|noi|voi|loro|il|e adesso",
    },
    "pt": {
        "greeting": "ola|oi|bom dia|boa tarde|boa noite|tudo bem|como vai",
        "thanks": "obrigado|obrigada|muito obrigado|muito obrigada|brigado|brigada|valeu|perfeito"
        "|certo"
        "|esta bem|entendi|otimo|ta bom|beleza",
        "goodbye": "tchau|ate logo|ate breve|ate mais|adeus|tenha um bom dia|nao obrigado"
        "|nao obrigada|e so isso|so isso|mais nada",
        "filler": "a todos|pessoal|por favor|se faz favor|senhor|senhora|pela ajuda|pela sua ajuda"
        "|por tudo|sim|equipa|equipe",
        "about": "quem e voce|quem es tu|o que voce pode fazer|o que voce faz|qual e o seu nome",
        "vague": "ajuda|ajude me|me ajuda|me ajude|preciso de ajuda|pode me ajudar|pode ajudar me"
        "|podem ajudar me|tenho uma pergunta|tenho uma duvida|uma pergunta|tenho um problema"
        "|uma duvida",
        "unclear": "um problema|erro|um erro|nao funciona|nao esta a funcionar|nao esta funcionando"
        "|nada funciona|esta quebrado|por que|porque|quando|onde|quem|qual|o que|isso|isto|aquilo"
        "|ele"
        "|eu|nos|nao|e agora",
    },
    "nl": {
        "greeting": "hoi|goedendag|goedemorgen|goedemiddag|goedenavond|dag|hallo allemaal"
        "|hoe gaat het|hoe is het",
        "thanks": "dank je|dank u|dank je wel|dank u wel|dankjewel|dankuwel|bedankt"
        "|hartelijk dank|prima"
        "|heel erg bedankt|oke|begrepen|duidelijk|goed zo|heel goed|veel dank|hartstikke bedankt",
        "goodbye": "doei|tot ziens|tot later|tot straks|fijne dag|fijne dag nog|fijne avond"
        "|welterusten"
        "|nee bedankt|nee dank je|dat was alles|dat is alles",
        "filler": "allemaal|alstublieft|alsjeblieft|aub|en|voor de hulp|voor je hulp|voor uw hulp"
        "|ja|nog",
        "about": "wie ben je|wie ben jij|wie bent u|wat kun je|wat kan je|wat kunt u|hoe heet je",
        "vague": "hulp|help mij|ik heb hulp nodig|hulp nodig|kun je me helpen|kunt u mij helpen"
        "|kan iemand me helpen|ik heb een vraag|een vraag|vraag|ik heb een probleem",
        "unclear": "probleem|een probleem|problemen|fout|een fout|storing|het werkt niet|werkt niet"
        "|het doet het niet|doet het niet|niets werkt|kapot|het is kapot|waarom|hoe|wat|wanneer"
        "|waar"
        "|wie|welke|het|dat|dit|deze|hij|zij|ik|wij|nee|een|wat nu",
    },
    "zh": {
        "greeting": "你好|您好|嗨|哈喽|早上好|上午好|下午好|晚上好|大家好|在吗|在么|有人吗",
        "thanks": "谢谢|多谢|谢谢你|谢谢您|非常感谢|感谢|好的|好|明白了|知道了|懂了|太好了|辛苦了",
        "goodbye": "再见|拜拜|晚安|没有了|没了|没事了|不用了|不用谢谢",
        "filler": "请|啊|呀|吧|了|大家|老师|客服",
        "about": "你是谁|您是谁|你能做什么|你会做什么|你叫什么|你叫什么名字",
        "vague": "帮助|帮帮我|帮我|救命|需要帮助|我需要帮助|请帮帮我|能帮我吗|可以帮我吗|我有问题"
        "|我有一个问题|我有个问题|请问|问一下|咨询一下|有个问题|我想问一下|我不知道",
        "unclear": "问题|错误|出错了|报错|报错了|故障|坏了|不行|不能用|用不了|没用|不工作|为什么"
        "|怎么|怎么办|什么|哪里|谁|这个|那个|它|我|你|他|她|怎么了|不是|不",
    },
    "ja": {
        "greeting": "こんにちは|こんばんは|おはよう|おはようございます|はじめまして|もしもし|どうも"
        "|お世話になります|お世話になっております",
        "thanks": "ありがとう|ありがとうございます|ありがとうございました|どうもありがとう"
        "|どうもありがとうございます|感謝します|了解|了解です|了解しました|わかりました|分かりました"
        "|助かりました|はい|なるほど",
        "goodbye": "さようなら|さよなら|またね|では また|おやすみ|おやすみなさい|失礼します"
        "|失礼いたします|大丈夫です|以上です|結構です",
        "filler": "すみません|お願いします|みなさん|皆さん|それでは|では|本当に",
        "about": "あなたは誰|あなたは誰ですか|どなたですか|何ができますか|何ができるの",
        "vague": "助けて|助けてください|ヘルプ|助けてほしい|質問|質問があります|質問です"
        "|聞きたいことがあります|困っています|困った|問題があります|わかりません|分かりません|教えてください|教えて",
        "unclear": "問題|エラー|エラーです|エラーが出ます|エラーになります|故障|不具合|動かない"
        "|動きません|使えない|使えません|できない|できません|なぜ|なんで|どうして|どうやって|何|なに|いつ|どこ|誰"
        "|これ|それ|あれ|この|その|いいえ|どうすれば",
    },
}

# A topic of a list that was asked back, by its place: first, second, third.
_BEFORE = "(?:(?:the|option|number|no|nr|der|die|das|le|la|el|il|lo|a|o|de|het|numero|nummer) )*"
_AFTER = "(?: (?:one|option|topic|please|bitte|opcion|uno|una))*"
_PLACES = (
    (
        "1|one|uno|1st|first|eins|erste[rsn]?|premiere?|primer[oa]?|prim[oa]|primeir[oa]|eerste"
        "|第一个|第一項|一つ目|1つ目|最初"
    ),
    (
        "2|two|2nd|second|zwei|zweite[rsn]?|deux|deuxieme|dos|segund[oa]|due|second[oa]|dois|twee"
        "|tweede|第二个|二つ目|2つ目"
    ),
    (
        "3|three|3rd|third|drei|dritte[rsn]?|trois|troisieme|tres|tercer[oa]?|tre|terz[oa]|terceir[oa]"
        "|drie|derde|第三个|三つ目|3つ目"
    ),
)
PICKS = tuple(f"{_BEFORE}(?:{place}){_AFTER}" for place in _PLACES)

_BOT_EN = "(?:bot|robot|machine|ai|computer|chatbot)"
_PERSON_EN = (
    "(?:(?:an?|the|some|any|your|one of your|another|actual|real|live|human|customer|support"
    "|service|technical|sales) )*"
    "(?:humans?|persons?|people|human being|agents?|representatives?|rep|operator|advis[eo]r"
    "|support|service|supervisor|manager|employee|staff|team|team member|staff member|colleagues?"
    "|someone|somebody|anyone|anybody)"
    "(?: (?:real|human|else))?"
    "(?: (?:from|of|in|on|at) (?:your |the )?(?:support |sales |customer )?"
    "(?:team|support|company|staff|side|service))?"
)
_ALONE_EN = (
    "(?:(?:an?|another|some) )?(?:(?:real|live|actual|human) )*"
    "(?:human|person|human being|agent|representative|operator|customer service representative"
    "|customer service agent|support agent|someone real|human support|live support)"
)
_END_EN = (
    "(?: (?:please|now|asap|immediately|here|instead|today|directly|thanks|thank you|right away"
    f"|right now|at once|urgently|on the phone|by phone|not (?:to )?an? {_BOT_EN}))*"
)
_TOPIC_EN = "(?: (?:about|regarding|concerning|because|who (?:can|could|will|knows)|so) .*)?"
_MAY_EN = (
    "(?:(?:can|could|may) (?:i|we|you)(?: please)? |(?:i|we) (?:just |really |only |still |also )*"
    "(?:want|need|wish|wanna|have|prefer|demand|would like|d like|would prefer|would rather"
    "|d rather|d prefer|ve) |(?:id|want|need|would) (?:like |rather )?|let (?:me|us) |lets "
    "|is it possible |is there (?:a |any )?way |i am trying |i m trying |im trying )?(?:to )?"
    "(?:please )?"
)
_PERSON_DE = (
    "(?:(?:eine?[mnr]?|de[mnr]|die|das|ihre[mn]|eure[mn]|echte[mnr]?|richtige[mnr]?|reale[mnr]?"
    "|menschliche[mnr]?|lebende[mnr]?|andere[mnr]?|wirkliche[mnr]?) )*"
    "(?:mensch(?:en)?|person|mitarbeiter(?:in|n)?|jemand(?:em|en)?|kundendienst|kundenservice"
    "|kundenbetreuer|support|supportteam|support team|ansprechpartner(?:in)?|berater(?:in)?"
    "|service|kollegen|team|operator|kundenberater)"
    "(?: (?:aus|von|vom|im|des) (?:(?:ihrem|eurem|dem|der|ihrer) )?\\w+)?"
)
_PERSON_FR = (
    "(?:(?:une?|le|la|l|les|au|votre|vos|vrai|vraie|veritable|autre|qu) )*"
    "(?:personne|humain|humaine|etre humain|conseiller|conseillere|agent|operateur|operatrice"
    "|representant|quelqu un|service client|support|technicien|employe|collaborateur|equipe)"
    "(?: (?:reelle?|humaine?|en chair et en os|de (?:votre|l) equipe|du (?:support"
    "|service client)))?"
)
_PERSON_ES = (
    "(?:(?:una?|el|la|algun|alguna|su|otra|otro) )*"
    "(?:persona|humano|humana|ser humano|agente|asesora?|operadora?|representante|alguien"
    "|servicio al cliente|atencion al cliente|soporte|empleado|equipo)"
    "(?: (?:real|humano|humana|de verdad|de soporte|de su equipo|del equipo))?"
)
_PERSON_IT = (
    "(?:(?:un|una|uno|il|la|lo|l|vera|vero|altra|vostro) )*"
    "(?:persona|umano|essere umano|operatore|operatrice|agente|qualcuno|assistenza|consulente"
    "|addetto|servizio clienti|supporto|team)"
    "(?: (?:vera|reale|umano|umana|in carne e ossa|del team|del supporto|del servizio clienti))?"
)
_PERSON_PT = (
    "(?:(?:uma?|o|a|algum|alguma|outra|outro|seu|vosso) )*"
    "(?:pessoa|humano|humana|ser humano|atendente|agente|operadora?|representante|alguem|suporte"
    "|funcionario|assistente humano|equipa|equipe)"
    "(?: (?:real|humano|humana|de verdade|do suporte|da equipa|da equipe))?"
)
_PERSON_NL = (
    "(?:(?:een|de|het|echte?|menselijke|andere|jullie|uw) )*"
    "(?:mens|persoon|medewerker|iemand|collega|klantenservice|klantendienst|helpdesk|team)"
    "(?: (?:van|bij) (?:(?:jullie|uw|het|de) )?\\w+)?"
)
_SPEAK_DE = "(?:sprechen|reden|chatten|schreiben|telefonieren|verbunden werden)"
_SPEAK_NL = "(?:spreken|praten|chatten|overleggen)"

# A clause that is one of these, from its beginning to its end, asks for a person. What begins with
# "how" or "where" is a question that the documents may answer.
WISHES: dict[str, tuple[str, ...]] = {
    "en": (
        (
            f"{_MAY_EN}(?:talk|speak|chat|write|talking|speaking) (?:to|with)"
            f" {_PERSON_EN}{_END_EN}{_TOPIC_EN}"
        ),
        (
            f"{_MAY_EN}(?:connect|transfer|put|pass|forward|redirect|hand|switch|refer|escalate)"
            "(?: (?:me|us|this|it|over|through|on|directly))*"
            f" (?:to|with) {_PERSON_EN}{_END_EN}{_TOPIC_EN}"
        ),
        f"{_MAY_EN}(?:get|give|find|bring) me (?:to )?{_ALONE_EN}{_END_EN}",
        f"i (?:do not|don t|dont) want to (?:talk|speak|chat) (?:to|with) (?:an? )?{_BOT_EN}.*",
    ),
    "de": (
        (
            "(?:(?:ich (?:will|mochte|muss|wurde|hatte)|kann ich|konnte ich|darf ich"
            "|lassen sie mich|lass mich|wir (?:mochten|wollen)) )?"
            "(?:(?:bitte|gern|gerne|mal|jetzt|lieber|direkt|sofort|nur|endlich) )*"
            f"(?:mit )?{_PERSON_DE}(?: \\w+){{0,6}} {_SPEAK_DE}"
        ),
        f"verbinde(?:n sie)? (?:mich|uns)(?: bitte)? (?:mit|zu) {_PERSON_DE}(?: bitte)?",
        (
            "(?:kannst du|konnen sie|konnten sie|bitte) (?:mich|uns)(?: bitte)? "
            f"(?:mit|zu|an) {_PERSON_DE} (?:verbinden|weiterleiten|durchstellen)"
        ),
    ),
    "fr": (
        (
            "(?:(?:je (?:veux|voudrais|souhaite|souhaiterais|prefere|prefererais|dois|desire)"
            "|j aimerais|puis je|pourrais je|est ce que je peux|est ce que je pourrais|peut on"
            "|est il possible de|je peux|laissez moi) )?"
            "(?:parler|discuter|echanger|communiquer)(?: directement)? (?:a|avec|au)"
            f" {_PERSON_FR}(?: s il (?:vous|te) plait| svp)?"
            "(?: (?:au sujet|a propos|concernant|pour) .*)?"
        ),
        (
            "(?:(?:pouvez vous|pourriez vous|veuillez) )?(?:me )?"
            "(?:mettez|mettre|passez|passer|transferez|transferer|connectez)(?: moi)?"
            f"(?: en (?:relation|contact))? (?:avec|a|au|vers) {_PERSON_FR}"
            "(?: s il vous plait| svp)?"
        ),
    ),
    "es": (
        (
            "(?:(?:quiero|quisiera|necesito|deseo|me gustaria|puedo|podria|prefiero|dejame"
            "|dejeme|se puede|es posible) )?(?:hablar|chatear|comunicarme|conversar)"
            f"(?: directamente)? con {_PERSON_ES}(?: por favor| ahora)*(?: (?:sobre|acerca) .*)?"
        ),
        (
            "(?:(?:me )?(?:puede|puedes|podria) )?(?:pasame|paseme|pasarme|conectame|conecteme"
            "|conectarme|comuniqueme|comunicarme|transfierame|transferirme|ponme|pongame|poner)"
            f" (?:con|a) {_PERSON_ES}(?: por favor)?"
        ),
    ),
    "it": (
        (
            "(?:(?:voglio|vorrei|posso|potrei|devo|desidero|preferisco|mi piacerebbe"
            "|ho bisogno di|fammi|mi faccia|e possibile|si puo) )?(?:parlare|chattare)"
            f"(?: direttamente)? con {_PERSON_IT}(?: per favore)?(?: (?:di|riguardo|su) .*)?"
        ),
        (
            "(?:(?:puo|puoi|potrebbe) )?(?:mettimi|mi metta|mettermi|passami|mi passi|passarmi"
            "|trasferiscimi|trasferirmi)(?: in (?:contatto|comunicazione))?"
            f" (?:con|a|ad) {_PERSON_IT}(?: per favore)?"
        ),
    ),
    "pt": (
        (
            "(?:(?:quero|queria|gostaria de|preciso|preciso de|posso|poderia|prefiro|desejo"
            "|e possivel|da para) )?(?:falar|conversar)(?: diretamente)? com"
            f" {_PERSON_PT}(?: por favor)?(?: (?:sobre|acerca) .*)?"
        ),
        (
            "(?:(?:pode|podia|poderia) )?(?:me )?(?:passe|passa|passar|transfira|transfere"
            "|transferir|ligue|conecte)(?: me)? (?:para|a|com|ao)"
            f" {_PERSON_PT}(?: por favor)?"
        ),
    ),
    "nl": (
        (
            "(?:(?:ik (?:wil|wou|zou|moet)|kan ik|mag ik|laat me|laat mij|graag|ik) )?"
            f"(?:(?:graag|nu|liever|even|direct) )*(?:met )?{_PERSON_NL}(?: \\w+){{0,6}}"
            f" {_SPEAK_NL}(?: alstublieft| alsjeblieft)?"
        ),
        (
            "(?:kunt u |kun je )?(?:verbind|verbinden|schakel) (?:me|mij)(?: door)?(?: \\w+)?"
            f" (?:met|naar) {_PERSON_NL}(?: alstublieft)?"
        ),
        (
            "(?:kunt u|kun je) (?:me|mij) (?:doorverbinden )?(?:met|naar)"
            f" {_PERSON_NL}(?: doorverbinden)?"
        ),
    ),
}

# A whole message that is one of these does so too; as a part of one it may mean something else.
WISHES_ALONE: dict[str, tuple[str, ...]] = {
    "en": (
        (
            "(?:(?:i|we) (?:just |really |only )*(?:want|need|demand|prefer|would like|d like"
            "|would prefer)|id like|want|need)"
            f" (?:(?:help|assistance|support) (?:from|of|by) )?{_ALONE_EN}{_END_EN}"
        ),
        (
            f"is there {_PERSON_EN}(?: (?:that |who )?(?:i|we) can (?:talk|speak|chat)"
            f" (?:to|with)| available)?{_END_EN}"
        ),
        f"(?:{_ALONE_EN}|customer service|customer support){_END_EN}",
        (
            "(?:are you|is this|am i (?:really |actually )?(?:talking|speaking|chatting)"
            " (?:to|with)) (?:really |actually |just )?(?:an? )?(?:real |actual |live )?"
            "(?:human|human being|person|bot|chatbot|robot|ai)"
            "(?: or (?:an? )?(?:real |actual )?(?:human|person|bot|chatbot|robot|machine|ai))?"
        ),
    ),
    "de": (
        (
            "ich (?:will|mochte|brauche|wunsche|hatte gern) (?:bitte |jetzt |sofort )?"
            "(?:einen? )?(?:(?:echten?|richtigen?|menschlichen?) )*"
            "(?:menschen|mitarbeiter|ansprechpartner|person|berater)(?: sprechen| haben| bitte)*"
        ),
        (
            "(?:(?:einen?|echter?|echten|menschlicher?|menschlichen) )*(?:mitarbeiter|mensch"
            "|menschen|ansprechpartner|kundenservice|kundendienst|berater)(?: bitte| sprechen)*"
        ),
        (
            "(?:bist du|sind sie|ist das|(?:spreche|rede|schreibe) ich (?:hier )?mit)"
            " (?:ein|einem|einer|eine) (?:(?:echte[rn]?|richtige[rn]?) )?"
            "(?:mensch|menschen|person|bot|chatbot|roboter|ki)"
        ),
    ),
    "fr": (
        f"je (?:veux|voudrais|souhaite) {_PERSON_FR}",
        "(?:un )?(?:humain|conseiller|operateur|agent humain)(?: s il vous plait| svp)?",
        "(?:le )?service client|(?:une )?vraie personne",
        "(?:es tu|etes vous|je parle a) une? (?:vraie? )?(?:humain|personne|robot|bot)",
    ),
    "es": (
        (
            "(?:(?:quiero|necesito|quisiera) )?(?:una? )?(?:persona real|humano|agente"
            "|agente humano|asesor|operador|representante)(?: por favor)?"
        ),
        "atencion al cliente|servicio al cliente",
        (
            "(?:eres|es usted|(?:estoy )?habl(?:o|ando) con) una?"
            " (?:persona(?: real)?|humano|robot|bot)"
        ),
    ),
    "it": (
        (
            "(?:(?:voglio|vorrei) )?(?:una? )?(?:operatore|operatore umano|umano|persona vera"
            "|persona reale)(?: per favore)?"
        ),
        "servizio clienti",
    ),
    "pt": (
        (
            "(?:(?:quero|preciso de) )?(?:uma? )?(?:atendente|atendente humano|humano"
            "|pessoa real|operador)(?: por favor)?"
        ),
        "apoio ao cliente|atendimento ao cliente",
    ),
    "nl": (
        (
            "(?:ik wil )?(?:een )?(?:echte? )?(?:mens|medewerker|echt persoon)"
            "(?: spreken)?(?: alstublieft)?"
        ),
        "klantenservice",
    ),
    "zh": (
        (
            "(?:你好|您好|请|麻烦|我们?|能|可以|帮我|想|要|需要|希望|和|跟|与|给|转|接|找|换|联系"
            "|转接|一个|一位|个|位|直接|现在|快|不要机器人)*"
            "(?:人工(?:客服|服务|坐席|支持)?|真人(?:客服)?|活人"
            "|(?:转|接|找|联系|需要|要|跟|和)(?:一个)?客服(?:人员)?)"
            "(?:聊聊?|聊天|谈谈?|说话?|对话|沟通|交流|服务|吧|吗|一下|谢谢|好吗|啊)*"
        ),
    ),
    "ja": (
        (
            "(?:すみません|お願いですが|本物の|実際の|誰か|だれか|ほかの|他の)*"
            "(?:人間|オペレーター|オペレータ|担当者?|担当の方|スタッフ|有人|係の人|係の方|人"
            "|サポート)(?:の方|の人|対応|チャット|サポート)?(?:と|に|へ|を)?(?:直接)?"
            "(?:話したい|話したいです|話せますか|話がしたい(?:です)?|話をしたい(?:です)?"
            "|話させてください|つないでください|繋いでください|つないで|繋いで"
            "|つなげてください|代わってください|代わって|お願いします|お願い"
            "|チャットしたい(?:です)?|希望(?:です|します)?)"
        ),
    ),
}

# Insults, and the words that stand around them; a message with any other word is no mere insult.
_INSULTS = """
fuck fucking fucker fck fuk fu shit shitty bullshit crap crappy idiot idiotic idiots stupid dumb
dumbass moron moronic asshole bastard bitch dick dickhead suck sucks cunt jerk loser useless
retard retarded stfu pathetic worthless wanker bollocks motherfucker arschloch arsch scheisse
scheiss scheissbot fick ficken idioten bloder blode blod blodmann dumm dummer dumme depp trottel
wichser hurensohn verpiss fresse klappe nutzlos unfahig connard connasse merde putain imbecile
stupide debile encule foutre gueule abruti cretin nul idiota imbecil estupido estupida mierda puta
puto gilipollas pendejo callate inutil cabron stronzo stronza vaffanculo cazzo stupido stupida
scemo cretino inutile merda deficiente coglione burro otario foda caralho cala inuteis klootzak
idioot stomme stom kut kutbot lul sukkel nutteloos waardeloos bek eikel
"""
INSULTS = frozenset(_INSULTS.split())
_AROUND = """
you u ur your re are r this is it the a an such so very really just off up of piece go to hell
damn bot robot machine ai chatbot me my what oh man and hey what's s shut total totally complete
completely absolute absolutely more than du bist ein eine einen doch sau mal dich sie sind halt
die der das dieser dein ganz echt tu es un une le la vous etes va te faire ta ton ferme ce cette
est tres vraiment eres el una vete usted muy este esta e tan sei uno molto questo cosi voce tao
muito boca je jij bent wat hou op rot zo deze
"""
AROUND = frozenset(_AROUND.split())
# Of these, what alone may be the topic of a question.
_MILD = """
klappe fresse bek gueule dumb dumm dick crap crappy nul kut lul burro
"""
MILD = frozenset(_MILD.split())
INSULTS_UNSPACED = (
    "傻逼|傻瓜|笨蛋|白痴|废物|混蛋|王八蛋|滚|滚开|去死|他妈的|智障|蠢货|蠢"
    "|馬鹿|ばか|バカ|アホ|あほ|死ね|黙れ|くそ|クソ|役立たず|うざい"
)
AROUND_UNSPACED = (
    "你|您|是|个|这|这个|机器人|真|太|的|了|啊|你们"
    "|お前|おまえ|この|ボット|だ|め|やろう|野郎|は|な|が"
)
