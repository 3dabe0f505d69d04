# ruff: noqa: E501 -- one word is one row, however long
"""Adjectives, adverbials, names, numbers and small words in three languages."""

# English, comparative | German, comparative (inflected stem after a slash) | Korean stem, or a fixed
# form before nouns with "=" | kinds it fits. A dash instead of the comparatives: it is not compared.
# Among the kinds, "attr" means before nouns only, "feeling" what moves people to act.
ADJECTIVES = """
young       younger          | jung jünger             | 젊         | adult
strong      stronger         | stark stärker           | 강하       | person horse dog
friendly    friendlier       | freundlich freundlicher | 친절하     | adult
tired       -                | müde/müd -              | 피곤하     | person feeling
happy       happier          | glücklich glücklicher   | 행복하     | person feeling
sad         -                | traurig -               | 슬프       | person feeling
hungry      -                | hungrig -               | 배고프     | person animal feeling
busy        -                | beschäftigt -           | 바쁘       | adult
clever      cleverer         | klug klüger             | 똑똑하     | person animal
lazy        lazier           | faul fauler             | 게으르/르  | person cat dog
famous      more+famous      | berühmt berühmter       | 유명하     | painter singer doctor museum city
small       smaller          | klein kleiner           | 작         | young animal opening surface load place upright painted vehicle
big         bigger           | groß größer             | 크         | animal opening surface load place upright painted vehicle
new         -                | neu -                   | =새        | clothing vehicle device text load surface lost film cup attr
old         -                | alt -                   | =오래된    | clothing vehicle device text load surface tree house park film museum city attr
beautiful   more+beautiful   | schön schöner           | 아름답/ㅂ  | place painted pleasing clothing
expensive   more+expensive   | teuer/teur teurer       | 비싸       | clothing vehicle device load cup
cheap       cheaper          | billig billiger         | 싸         | clothing vehicle device load cup
heavy       heavier          | schwer schwerer         | 무겁/ㅂ    | load surface upright computer
red         -                | rot -                   | 빨갛/ㅎ    | clothing vehicle load cup flower ball umbrella sofa tomato
blue        -                | blau -                  | 파랗/ㅎ    | clothing vehicle load cup flower ball umbrella sofa bird
white       -                | weiß -                  | 하얗/ㅎ    | clothing vehicle cat horse goose rabbit flower
black       -                | schwarz -               | 까맣/ㅎ    | clothing vehicle cat horse dog bird umbrella
warm        warmer           | warm wärmer             | 따뜻하     | bread milk soup coat jacket
cold        -                | kalt -                  | 차갑/ㅂ    | water milk juice tea
hot         -                | heiß -                  | 뜨겁/ㅂ    | soup coffee tea water
delicious   -                | lecker -                | 맛있       | food juice coffee
sweet       sweeter          | süß süßer               | 달         | fruit juice cake
fresh       -                | frisch -                | 신선하     | bread egg fruit milk
long        longer           | lang länger             | 길         | text film trip song coat dress
short       shorter          | kurz kürzer             | 짧         | text film trip song dress
interesting more+interesting | interessant interessanter | 재미있   | text film trip
difficult   more+difficult   | schwierig schwieriger   | 어렵/ㅂ    | text song
clean       -                | sauber -                | 깨끗하     | kitchen house beach dish shirt table bed
dirty       -                | schmutzig -             | 더럽/ㅂ    | dish shirt coat table car kitchen window
"""

# English | German | Korean | tenses it goes with.
TIMES = """
today            | heute           | 오늘      | present perfect future
yesterday        | gestern         | 어제      | past
tomorrow         | morgen          | 내일      | future
now              | jetzt           | 지금      | present
every day        | jeden Tag       | 매일      | present past
in the morning   | am Morgen       | 아침에    | present past future
in the evening   | am Abend        | 저녁에    | present past future
at night         | in der Nacht    | 밤에      | present past
on Monday        | am Montag       | 월요일에  | present past future
on Friday        | am Freitag      | 금요일에  | present past future
on Sunday        | am Sonntag      | 일요일에  | present past future
in summer        | im Sommer       | 여름에    | present past
in winter        | im Winter       | 겨울에    | present past
last week        | letzte Woche    | 지난주에  | past
next week        | nächste Woche   | 다음 주에 | future
"""

FREQUENCIES = """
often     | oft      | 자주
always    | immer    | 항상
sometimes | manchmal | 가끔
usually   | meistens | 보통
"""

# The last column is the group by which a verb names the manners it goes with.
MANNERS = """
slowly    | langsam    | 천천히     | slow
quickly   | schnell    | 빨리       | slow
quietly   | leise      | 조용히     | quiet
carefully | vorsichtig | 조심스럽게 | care
alone     | allein     | 혼자       | alone
well      | gut        | 잘         | well
"""

NAMES = """
Anna  | 안나
Maria | 마리아
Emma  | 에마
Paul  | 폴
Tom   | 톰
David | 데이비드
Simon | 사이먼
Laura | 로라
"""

NUMBERS = """
2  | two   | zwei  | 두
3  | three | drei  | 세
4  | four  | vier  | 네
5  | five  | fünf  | 다섯
6  | six   | sechs | 여섯
10 | ten   | zehn  | 열
"""

RELATIONS = """
on          | auf    | 위
under       | unter  | 아래
next to     | neben  | 옆
behind      | hinter | 뒤
in front of | vor    | 앞
"""
